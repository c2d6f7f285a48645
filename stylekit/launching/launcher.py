"""The contract of a launcher, and how a command runs under one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, final

__all__ = ["Job", "Launcher", "Task", "describe", "interrupt", "run_command", "start"]

_POLL_SECONDS = 0.3
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
_GRACE_SECONDS = 60.0
"""How long a task that is told to stop may take to save what it has."""


@dataclass(frozen=True)
class Task:
    """A command whose exit code counts; running it again goes on where it was."""

    name: str
    command: tuple[str, ...]
    log: Path
    folder: Path
    """The working directory."""


class Job(ABC):
    """A task that was started."""

    @abstractmethod
    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""

    @abstractmethod
    def stop(self) -> None:
        """Ask it to stop, as Ctrl+C does."""

    @abstractmethod
    def kill(self) -> None:
        """End it, whatever it does."""


class Launcher(ABC):
    """Runs tasks, several at a time."""

    parallel: int
    """How many tasks run at once."""
    poll_seconds: ClassVar[float] = _POLL_SECONDS

    @abstractmethod
    def start(self, task: Task) -> Job:
        """Start one task."""

    @final
    def launch(
        self, tasks: Iterable[Task], should_stop: Callable[[Task], bool] = lambda task: False
    ) -> Iterator[tuple[Task, int]]:
        """Run tasks and yield each with its exit code as it ends; leaving the loop early stops the rest.

        A task is taken from `tasks` only when there is room for it, so that the next may depend on how the
        earlier ones ended. `should_stop` is asked again and again while a task runs.
        """
        waiting, running = iter(tasks), dict[Job, Task]()
        told: dict[Job, float] = {}  # when a job was told to stop
        try:
            while True:
                while len(running) < self.parallel and (task := next(waiting, None)) is not None:
                    running[self.start(task)] = task
                if not running:
                    return
                for job, task in list(running.items()):
                    if (code := job.poll()) is not None:
                        del running[job]
                        yield task, code
                    elif job in told:
                        if time.monotonic() - told[job] > _GRACE_SECONDS:
                            job.kill()
                    elif should_stop(task):
                        told[job] = time.monotonic()
                        job.stop()
                time.sleep(self.poll_seconds)
        finally:
            for job in running:
                job.stop()
            until = time.monotonic() + _GRACE_SECONDS
            while any(job.poll() is None for job in running) and time.monotonic() < until:
                time.sleep(self.poll_seconds)
            for job in running:
                if job.poll() is None:
                    job.kill()


def start(task: Task, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start the command of a task, its output appended to the log; it dies with its parent."""
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with task.log.open("ab") as log:
        return subprocess.Popen(
            task.command,
            cwd=task.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,  # Ctrl+C reaches us; we pass it on
            preexec_fn=_prepare,
        )


def run_command(task: Task) -> int:
    """Run a task to its end, on whatever machine this is called; interrupted, it lets the command save."""
    process = start(task)
    try:
        return process.wait()
    except BaseException:
        interrupt(process)
        raise


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Stop a command as Ctrl+C does, and for good if it does not listen."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _prepare() -> None:
    """Between fork and exec: hear Ctrl+C even if our parent ignored it, and die with our parent.

    A second attempt at a task whose worker died would find its run locked by the first.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if _PRCTL is not None:
        _PRCTL(1, signal.SIGKILL)


def describe(code: int) -> str:
    """Say in words how a command ended."""
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
