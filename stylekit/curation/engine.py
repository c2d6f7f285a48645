"""Engines: what maps a row step over shards."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import NamedTuple, final

import pyarrow as pa
import pyarrow.compute as pc
import torch

from stylekit.bounds import Positive, bounded
from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.shards import Shards, read_shard
from stylekit.curation.step import RowStep
from stylekit.errors import DataError
from stylekit.pixels import Rejection

__all__ = ["PATIENCE", "Engine", "Local", "Report", "ShardWork", "died"]

PATIENCE = 3
"""Deaths of a worker without any shard finished in between."""


class Report(NamedTuple):
    """What became of one shard."""

    shard: int
    rows: int
    kept: int
    rejected: int


@dataclass(frozen=True)
class ShardWork:
    """Reads shard `index` of a step, applies the next one and writes shard `index` of that; picklable."""

    step: RowStep
    source: Shards
    into: Shards
    beside: Shards | None = None
    """Shards of further columns for the same rows."""

    def __call__(self, index: int) -> Report:
        table, lost = self._read(index)
        kept, rejects = self.step(table) if len(table) else (self._nothing(), rejects_table([]))
        rejects = pa.concat_tables([rejects, rejects_table(lost)])
        self.into.write(index, kept, rejects)
        return Report(index, len(table), len(kept), len(rejects))

    def _read(self, index: int) -> tuple[pa.Table, list[tuple[str, Failure]]]:
        """Read the rows, and what of them cannot be read; without the columns beside, rows are whole."""
        table = read_shard(self.source.part(index))
        if isinstance(table, Rejection):
            return pa.table({}), [self.source.loss(table)]
        if self.beside is None or not len(table):
            return table, []
        more = read_shard(self.beside.part(index))
        if isinstance(more, Rejection):
            name, failure = self.beside.loss(more)
            return table, [(name, failure._replace(detail="the rows stay, without what it says of them"))]
        return _with_columns(table, more), []

    def _nothing(self) -> pa.Table:
        return self.step.layout.empty_table()

    def give_up(self, index: int) -> Report:
        """Reject a whole shard, by its name, since processes die of it."""
        loss = self.source.loss(Rejection(self.source.part(index).name, "a worker died of it"))
        self.into.write(index, self._nothing(), rejects_table([loss]))
        return Report(index, 0, 0, 1)


def _with_columns(table: pa.Table, more: pa.Table) -> pa.Table:
    """Give rows what another table has under their ids, or null."""
    if len(more):
        at = pc.index_in(table["id"], value_set=more["id"].combine_chunks())
        for name in more.column_names:
            if name not in table.column_names:
                table = table.append_column(name, more[name].take(at))
    return table


def died(times: int, work: ShardWork) -> DataError:
    """Say what to do where workers die."""
    return DataError(
        f"A worker died {times} times without finishing a shard of {work.into.folder}. If memory ran out, "
        "set curation.engine.workers or curation.rows_per_shard lower."
    )


class Engine(ABC):
    """Maps work over shards. The bytes written do not depend on the engine or on the number of workers."""

    workers: int

    @abstractmethod
    def map(self, work: ShardWork, indices: Sequence[int]) -> Iterator[Report]:
        """Do the work for each shard, in any order."""


@final
class Local(Engine):
    """Processes of this machine, each with one thread, and a GPU if there are some.

    Args:
        workers: Processes; each holds the models of the step.
    """

    @bounded
    def __init__(self, workers: Positive = 1) -> None:
        self.workers = workers

    def map(self, work: ShardWork, indices: Sequence[int]) -> Iterator[Report]:
        if self.workers == 1 or len(indices) == 1:
            threads = torch.get_num_threads()
            torch.set_num_threads(1)  # as in a worker: sums of floats depend on it
            try:
                # a copy, with which the models go that the step loads
                yield from map(pickle.loads(pickle.dumps(work)), indices)
            finally:
                torch.set_num_threads(threads)
            return
        yield from self._with_losses(work, set(indices))

    def _with_losses(self, work: ShardWork, waiting: set[int]) -> Iterator[Report]:
        """Do shards in processes that may die; one that is deadly alone is rejected, a second is not."""
        deaths, rejected = 0, list[int]()
        while waiting:
            tried = sorted(waiting) if deaths < PATIENCE else [min(waiting)]
            try:
                for report in self._in_processes(work, tried):
                    waiting.discard(report.shard)
                    deaths = 0
                    rejected.clear()
                    yield report
            except BrokenProcessPool as error:  # killed, for want of memory perhaps
                deaths += 1
                if deaths <= PATIENCE:
                    continue
                if rejected:
                    work.into.part(rejected[0]).unlink()
                    raise died(deaths, work) from error
                rejected += tried
                waiting.discard(tried[0])
                yield work.give_up(tried[0])

    def _in_processes(self, work: ShardWork, indices: Sequence[int]) -> Iterator[Report]:
        # A fork of this process would inherit locks of its threads; the server has none, and torch loaded.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([__name__])
        numbers = context.SimpleQueue()
        for number in range(self.workers):
            numbers.put(number)
        pool = ProcessPoolExecutor(
            min(self.workers, len(indices)),
            context,
            _begin,
            (work, numbers, os.environ.get("CUDA_VISIBLE_DEVICES")),
        )
        others, is_whole = {*multiprocessing.active_children()}, False
        try:
            for future in as_completed([pool.submit(_do, index) for index in indices]):
                yield future.result()
            is_whole = True
        finally:
            if not is_whole:  # the shards under way may take hours, and are begun again in any case
                for worker in {*multiprocessing.active_children()} - others:
                    worker.terminate()
            pool.shutdown(cancel_futures=True)


_WORK: list[ShardWork] = []


def _begin(work: ShardWork, numbers: multiprocessing.SimpleQueue[int], visible: str | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it, and stops us
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    if num_gpus := torch.cuda.device_count():
        devices = visible.split(",") if visible else [str(number) for number in range(num_gpus)]
        os.environ["CUDA_VISIBLE_DEVICES"] = devices[numbers.get() % num_gpus]
    _WORK.append(work)


def _do(index: int) -> Report:
    return _WORK[0](index)


def _leave_with_parent() -> None:
    """End with a parent that was killed, rather than wait for it forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
