"""On a Ray cluster."""

from __future__ import annotations

import logging
from typing import Any, final

from stylekit.bounds import Count, NonNegative, Positive, bounded
from stylekit.errors import MissingError
from stylekit.launching.launcher import Job, Launcher, Task, run_command

__all__ = ["Ray"]


@final
class Ray(Launcher):
    """Runs every task on a worker of a Ray cluster; the working directory must be shared with the nodes.

    A task whose worker dies is given to another one, where it goes on from its last checkpoint.

    Args:
        address: Of the cluster; None starts one on this machine.
        parallel: How many tasks to have submitted at once.
        num_cpus: Processors for each task.
        num_gpus: GPUs for each task; may be a fraction.
        max_retries: How often a task is begun again after its worker died.
    """

    @bounded
    def __init__(
        self,
        address: str | None = None,
        parallel: Positive = 64,
        num_cpus: NonNegative = 1.0,
        num_gpus: NonNegative = 0.0,
        max_retries: Count = 3,
    ) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingError("launcher=ray needs Ray: pip install 'stylekit[ray]'.") from error
        if not ray.is_initialized():
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
        self.parallel = parallel
        self._ray = ray
        self._remote = ray.remote(
            num_cpus=num_cpus, num_gpus=num_gpus, max_retries=max_retries, retry_exceptions=False
        )(run_command)

    def start(self, task: Task) -> Job:
        return _RayJob(self._ray, self._remote.remote(task), task)


class _RayJob(Job):
    def __init__(self, ray: Any, reference: Any, task: Task) -> None:
        self._ray, self._reference, self._task = ray, reference, task

    def poll(self) -> int | None:
        done, _ = self._ray.wait([self._reference], timeout=0)
        if not done:
            return None
        try:
            return int(self._ray.get(self._reference))
        except Exception as error:  # the worker died too often, or the task was cancelled
            self._task.log.parent.mkdir(parents=True, exist_ok=True)
            with self._task.log.open("a") as log:
                log.write(f"{type(error).__name__}: {error}\n")
            return 1

    def stop(self) -> None:
        self._ray.cancel(self._reference)

    def kill(self) -> None:
        self._ray.cancel(self._reference, force=True)
