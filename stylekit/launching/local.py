"""On this machine, in order or several at once."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from typing import final

from stylekit.bounds import Positive, bounded
from stylekit.launching.launcher import Job, Launcher, Task, start

__all__ = ["Local"]


@final
class Local(Launcher):
    """Runs tasks on this machine, each in a process of its own.

    Args:
        parallel: How many at once; the processor's threads are shared among them.
    """

    @bounded
    def __init__(self, parallel: Positive = 1) -> None:
        self.parallel = parallel

    def start(self, task: Task) -> Job:
        threads = max(1, (os.cpu_count() or 1) // self.parallel)
        return _Process(start(task, {"OMP_NUM_THREADS": str(threads)} if self.parallel > 1 else None))


class _Process(Job):
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def poll(self) -> int | None:
        return self._process.poll()

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self._process.kill()
