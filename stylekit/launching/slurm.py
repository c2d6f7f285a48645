"""As SLURM jobs, through submitit."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from stylekit.bounds import Positive, bounded
from stylekit.errors import MissingError
from stylekit.launching.launcher import Job, Launcher, Task, run_command

__all__ = ["Slurm"]

_FORGOTTEN_SECONDS = 600.0


@final
class Slurm(Launcher):
    """Submits every task as a job of its own; the working directory must be shared with the nodes.

    Jobs outlive whoever submitted them: each task notes its job beside its log, and one that still waits or
    runs is not submitted again.

    Args:
        parallel: How many jobs to have in the queue at once.
        parameters: What submitit's `AutoExecutor.update_parameters` takes: slurm_partition, timeout_min,
            gpus_per_node, cpus_per_task, mem_gb, slurm_additional_parameters ...
        cluster: "slurm", or "local" to try it out without one.
        folder: Where submitit keeps its scripts and logs.
    """

    poll_seconds = 2.0

    @bounded
    def __init__(
        self,
        parallel: Positive = 64,
        parameters: Mapping[str, Any] | None = None,
        cluster: str = "slurm",
        folder: str = "runs/.submitit",
    ) -> None:
        try:
            import submitit
        except ImportError as error:
            raise MissingError("launcher=slurm needs submitit: pip install 'stylekit[slurm]'.") from error
        self.parallel = parallel
        self._job_class = submitit.SlurmJob if cluster == "slurm" else submitit.LocalJob
        self._folder = Path(folder).absolute()
        self._executor = submitit.AutoExecutor(folder=self._folder, cluster=cluster)
        self._executor.update_parameters(**(parameters or {}))

    def start(self, task: Task) -> Job:
        note = task.log.with_suffix(".job")
        job = self._still_there(note)
        if job is None:
            job = self._executor.submit(run_command, task)
            note.parent.mkdir(parents=True, exist_ok=True)
            note.write_text(job.job_id)
        return _SlurmJob(job, task, note)

    def _still_there(self, note: Path) -> Any:
        if not note.is_file():
            return None
        job: Any = self._job_class(self._folder, note.read_text().strip())
        if job.done(force_check=True):
            return None
        return None if _is_forgotten(job, note) else job


def _is_forgotten(job: Any, note: Path) -> bool:
    """Tell a job that a queue has forgotten from one that was only just submitted: it knows neither."""
    is_new = note.is_file() and time.time() - note.stat().st_mtime < _FORGOTTEN_SECONDS
    return not is_new and job.state == "UNKNOWN"


class _SlurmJob(Job):
    def __init__(self, job: Any, task: Task, note: Path) -> None:
        self._job, self._task, self._note = job, task, note

    def poll(self) -> int | None:
        if not self._job.done():
            if not _is_forgotten(self._job, self._note):
                return None
            with self._task.log.open("a") as log:
                log.write(f"The queue does not know job {self._job.job_id} any more.\n")
            return 1
        try:
            return int(self._job.result())
        except Exception as error:  # cancelled, timed out or lost: submitit says which
            self._task.log.parent.mkdir(parents=True, exist_ok=True)
            with self._task.log.open("a") as log:
                log.write(f"{type(error).__name__}: {error}\n")
            return 1

    def stop(self) -> None:
        self._job.cancel(check=False)
        self._note.unlink(missing_ok=True)

    def kill(self) -> None:
        self.stop()  # SLURM itself kills what does not listen
