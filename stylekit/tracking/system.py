"""The use of the machine, under the names that MLflow shows as system metrics."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from importlib import import_module
from typing import Any

import psutil

from stylekit.tracking.journal import Journal
from stylekit.tracking.store import reason

__all__ = ["SystemSampler"]

MONITORS = ("CPUMonitor", "DiskMonitor", "NetworkMonitor", "GPUMonitor")

logger = logging.getLogger("stylekit.tracking")


class SystemSampler:
    """Writes a line to a journal every so often.

    It collects with MLflow's own monitors but not with MLflow's monitoring thread, which ends for good the
    first time that the server does not answer.
    """

    def __init__(self, journal: Journal, every: float) -> None:
        self.journal = journal
        self.every = every
        self._step = sum(1 for _ in journal)  # a resumed run goes on counting
        self._due = 0.0
        self._monitors = _monitors()

    def sample_if_due(self) -> None:
        """Write one line if it is time."""
        if time.monotonic() < self._due or not self._monitors:
            return
        self._due = time.monotonic() + self.every
        metrics: dict[str, float] = {}
        try:
            for monitor in self._monitors:
                monitor.collect_metrics()
                metrics |= monitor.aggregate_metrics()
                monitor.clear_metrics()
        except (psutil.Error, OSError, RuntimeError) as error:
            logger.warning("System metrics stop here: %s", reason(error))
            self._monitors = []
            return
        named = {f"system/{key}": float(value) for key, value in metrics.items()}
        self.journal.append({"step": self._step, "time": round(time.time(), 3), "metrics": named})
        self._step += 1


def _monitors() -> list[Any]:
    psutil.cpu_percent()  # the first call has nothing to compare with and returns 0
    monitors = []
    for name in MONITORS:
        with suppress(ImportError, RuntimeError):  # no NVIDIA driver, or its Python library is not installed
            module = import_module(f"mlflow.system_metrics.metrics.{name[:-7].lower()}_monitor")
            monitors.append(getattr(module, name)())
    return monitors
