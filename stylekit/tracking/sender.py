"""The background thread between a run folder and MLflow."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stylekit.tracking.store import is_refusal, is_server, reason, shown
from stylekit.tracking.system import SystemSampler
from stylekit.tracking.uploader import Uploader

__all__ = ["Sender"]

LONGEST_WAIT = 60.0  # seconds between two attempts at a server that is away

logger = logging.getLogger("stylekit.tracking")


class Sender(threading.Thread):
    """Connects, then sends every few seconds.

    When MLflow is away it says so once and goes on trying, ever more rarely.
    """

    def __init__(self, uploader: Uploader, every: float, system_every: float | None) -> None:
        super().__init__(name="stylekit-tracking", daemon=True)
        self.uploader = uploader
        self.every = every
        self.system_every = system_every
        self.has_tried = threading.Event()  # set after the first attempt to connect, whatever came of it
        self.refusal: Exception | None = None
        self._busy = threading.Lock()
        self._paused = threading.Event()
        self._stopping = threading.Event()
        self._deadline = math.inf
        self._num_failures = 0
        self._is_said = False
        self._is_complete = False

    def run(self) -> None:
        """Work until `finish`."""
        self._attempt(self.uploader.connect)
        self.has_tried.set()
        if self.refusal is not None:
            return
        sampler = (
            None if self.system_every is None else SystemSampler(self.uploader.system, self.system_every)
        )
        next_attempt = 0.0
        while not self._stopping.wait(self.every):
            if sampler is not None:
                sampler.sample_if_due()
            if time.monotonic() >= next_attempt:
                self._attempt(self._send)
                wait = self.every * 2**self._num_failures if self._num_failures > 1 else 0.0
                next_attempt = time.monotonic() + min(LONGEST_WAIT, wait)
        self._attempt(self._send_last)
        if self._num_failures == 1:
            self._attempt(self._send_last)

    def finish(self, seconds: float) -> bool:
        """Send what is left within a time; whether all of it was sent."""
        self._deadline = time.monotonic() + seconds
        self._stopping.set()
        self.join(seconds + 1.0)
        return self._is_complete

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Send nothing meanwhile, so that the journals can be changed."""
        self._paused.set()
        with self._busy:
            self._paused.clear()
            yield

    def _send(self) -> None:
        self.uploader.connect()
        self.uploader.send(self._is_over)

    def _send_last(self) -> None:
        self._send()
        self.uploader.finish()
        self._is_complete = not self._is_over()

    def _attempt(self, task: Callable[[], None]) -> None:
        with self._busy:
            try:
                task()
            except Exception as error:  # SQL drivers, HTTP, MLflow and artifact stores each have their own
                self.uploader.disconnect()
                self._failed(error)
                return
        if self._is_said and self._num_failures:
            logger.info("MLflow at %s answers again and has what it missed.", shown(self.uploader.marker.uri))
        self._num_failures = 0

    def _failed(self, error: Exception) -> None:
        self._num_failures += 1
        is_first = not self.has_tried.is_set()
        uri = self.uploader.marker.uri
        if is_first and (is_refusal(error) or not is_server(uri)):
            self.refusal = error
        elif not self._is_said and (is_first or self._num_failures > 1):  # one failure may be a hiccup
            self._is_said = True
            logger.warning(
                "MLflow at %s does not answer (%s). Training goes on: the metrics are in %s and will be sent "
                "when it is back.",
                shown(uri),
                reason(error),
                self.uploader.metrics.path,
            )

    def _is_over(self) -> bool:
        return self._paused.is_set() or time.monotonic() > self._deadline
