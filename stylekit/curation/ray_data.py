"""Ray Data as the engine, for what outgrows one machine."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator, Sequence
from typing import Any, final

import torch

from stylekit.bounds import NonNegative, Positive, bounded
from stylekit.curation.engine import PATIENCE, Engine, Report, ShardWork, died
from stylekit.errors import MissingError, StylekitError

__all__ = ["RayData"]


@final
class RayData(Engine):
    """Actors of a Ray cluster; the output folder must be shared with its nodes, at the same path.

    Ray begins the shard of an actor that died again, a few times.

    Args:
        address: Of the cluster; None uses RAY_ADDRESS, or starts one on this machine.
        workers: Actors; each holds the models of the step.
        num_cpus: Processors for each.
        num_gpus: GPUs for each; may be a fraction.
    """

    @bounded
    def __init__(
        self,
        address: str | None = None,
        workers: Positive = 2,
        num_cpus: NonNegative = 1.0,
        num_gpus: NonNegative = 0.0,
    ) -> None:
        self.address, self.workers = address, workers
        self.num_cpus, self.num_gpus = num_cpus, num_gpus

    def map(self, work: ShardWork, indices: Sequence[int]) -> Iterator[Report]:
        if not indices:  # Ray has no data set of nothing
            return
        try:
            import ray
            import ray.data
        except ImportError as error:
            raise MissingError(
                "curation.engine._target_ names RayData, which needs Ray: pip install 'stylekit[ray]'."
            ) from error
        if not ray.is_initialized():
            ray.init(address=self.address, logging_level=logging.ERROR, log_to_driver=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        shards = ray.data.from_items(
            [{"index": index} for index in indices], override_num_blocks=len(indices)
        )
        done = shards.map_batches(
            _Worker,
            fn_constructor_args=(work,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(size=min(self.workers, len(indices))),
            num_cpus=self.num_cpus,
            num_gpus=self.num_gpus,
            max_restarts=PATIENCE,
            max_task_retries=PATIENCE,
        )
        try:
            for row in done.iter_rows():
                if row["fault"]:
                    raise pickle.loads(row["fault"])
                yield Report(**{name: int(row[name]) for name in Report._fields})
        except ray.exceptions.RayActorError as error:
            raise died(PATIENCE, work) from error


class _Worker:
    def __init__(self, work: ShardWork) -> None:
        torch.set_num_threads(1)
        self.work = work

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        (index,) = batch["index"]
        try:
            report, fault = self.work(int(index)), b""
        except StylekitError as error:  # raised through Ray, it would reach the user as a traceback in a text
            report, fault = Report(int(index), 0, 0, 0), pickle.dumps(error)
        return {name: [value] for name, value in report._asdict().items()} | {"fault": [fault]}
