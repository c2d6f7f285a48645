"""On this machine, in order or several at once."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from typing import final

from stylekit.bounds import Count, Positive, bounded
from stylekit.errors import ConfigError
from stylekit.launching.launcher import Job, Launcher, Task, start

__all__ = ["Local"]


@final
class Local(Launcher):
    """Runs tasks on this machine, each in a process of its own.

    Args:
        parallel: How many at once; the processor's threads are shared among them.
        gpus_per_task: GPUs that each task sees, its own while it runs; 0 shows every task all of them.
    """

    @bounded
    def __init__(self, parallel: Positive = 1, gpus_per_task: Count = 0) -> None:
        gpus = _visible_gpus() if gpus_per_task else []
        if len(gpus) < parallel * gpus_per_task:
            raise ConfigError(
                f"launcher: {parallel} tasks at once with gpus_per_task={gpus_per_task} need "
                f"{parallel * gpus_per_task} GPUs, and this machine shows {len(gpus)}."
            )
        self.parallel = parallel
        self.gpus_per_task = gpus_per_task
        self._free = gpus

    def start(self, task: Task) -> Job:
        environment = {}
        if self.parallel > 1:
            environment["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // self.parallel))
        mine, self._free = self._free[: self.gpus_per_task], self._free[self.gpus_per_task :]
        if mine:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(mine)
        return _Process(start(task, environment), mine, self._free_again)

    def _free_again(self, gpus: list[str]) -> None:
        self._free = [*self._free, *gpus]


def _visible_gpus() -> list[str]:
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name for name in named.split(",") if name]
    import torch  # not before it is needed: it takes seconds

    return [str(number) for number in range(torch.cuda.device_count())]


class _Process(Job):
    def __init__(
        self, process: subprocess.Popen[bytes], gpus: list[str], give_back: Callable[[list[str]], None]
    ) -> None:
        self._process, self._gpus, self._give_back = process, gpus, give_back

    def poll(self) -> int | None:
        code = self._process.poll()
        if code is not None:
            self._give_back(self._gpus)
            self._gpus = []
        return code

    def stop(self) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        self._process.kill()
