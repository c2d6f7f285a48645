"""Tracking with MLflow, which may come and go while training goes on."""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, final

from stylekit.bounds import AboveZero, NonNegative, bounded
from stylekit.errors import ConfigError, StylekitError
from stylekit.run import Run
from stylekit.tracking.journal import Journal
from stylekit.tracking.sender import Sender
from stylekit.tracking.store import is_server, mlflow_manners, reason, shown, store_uri
from stylekit.tracking.tracker import Status, Tracker, is_before
from stylekit.tracking.uploader import Marker, Uploader

__all__ = ["MlflowTracker", "sync"]

logger = logging.getLogger("stylekit.tracking")


@final
class MlflowTracker(Tracker):
    """Tracks a run in its folder and in MLflow.

    Args:
        uri: A database (sqlite:///runs/mlflow.db, relative to the working directory) or a server (http://HOST:5000).
        experiment: The MLflow experiment; made if it is not there.
        system_metrics: Whether to record the use of CPU, memory, disk, network and GPU.
        system_seconds: The time between two records of them.
        send_seconds: The time between two batches to MLflow.
        open_seconds: How long `open` waits for a server before training starts without it.
        close_seconds: How long `close` may take to send what is left.
    """

    @bounded
    def __init__(
        self,
        uri: str = "sqlite:///runs/mlflow.db",
        experiment: str = "stylekit",
        system_metrics: bool = True,
        system_seconds: AboveZero = 10.0,
        send_seconds: AboveZero = 3.0,
        open_seconds: NonNegative = 15.0,
        close_seconds: NonNegative = 15.0,
    ) -> None:
        super().__init__()
        self.uri = store_uri(uri)
        self.experiment_name = experiment
        self.system_seconds = system_seconds if system_metrics else None
        self.send_seconds = send_seconds
        self.open_seconds = open_seconds
        self.close_seconds = close_seconds
        self._uploader: Uploader | None = None
        self._sender: Sender | None = None
        self._manners = ExitStack()
        self._published: set[str] = set()
        self._is_reopened = False

    @property
    def run_id(self) -> str | None:
        """The MLflow run; it comes later where the server was away at the start."""
        return None if self._uploader is None else self._uploader.marker.run_id

    def _begin(
        self, run_dir: Path, run_name: str, run_id: str | None, tags: dict[str, str], reopen: bool
    ) -> str | None:
        marker = Marker(self.uri, self.experiment_name, run_name, {**_origin(), **tags}, run_id)
        if reopen:
            marker.status = "FINISHED"
        if earlier := Uploader.load(run_dir):
            marker.sent = earlier.marker.sent
            marker.run_id = run_id or earlier.marker.run_id
            if reopen:
                marker.tags = earlier.marker.tags | marker.tags
                marker.status, marker.is_status_sent = earlier.marker.status, earlier.marker.is_status_sent
                if marker.status == "RUNNING":  # whoever tracked it was killed
                    marker.status, marker.is_status_sent = "KILLED", False
        self._is_reopened = reopen
        self._uploader = Uploader(run_dir, marker)
        self._uploader.save()
        self._published = {_identity(entry) for entry in self._uploader.outbox}
        self._manners.enter_context(mlflow_manners())
        self._sender = Sender(self._uploader, self.send_seconds, self.system_seconds)
        self._sender.start()
        self._sender.has_tried.wait(self.open_seconds if is_server(self.uri) else None)
        if (refusal := self._sender.refusal) is not None:
            self._manners.close()
            raise ConfigError(f"The MLflow store {shown(self.uri)} cannot be used: {reason(refusal)}")
        return self.run_id

    def _drop(self, metrics: Journal, step: int) -> None:
        assert self._uploader is not None
        assert self._sender is not None
        metrics.close()
        with self._sender.pause():
            self._uploader.truncate(step, is_before)

    def _publish(self, entry: dict[str, Any]) -> None:
        self._journal()  # refuses before open
        assert self._uploader is not None
        identity = _identity(entry)
        if identity not in self._published:  # a resumed run logs its beginning again
            self._published.add(identity)
            self._uploader.outbox.append({"time": round(time.time(), 3), **entry})

    def _end(self, status: Status) -> None:
        assert self._uploader is not None
        assert self._sender is not None
        if not self._is_reopened:
            self._uploader.save(status=status, is_status_sent=False)
        is_sent = self._sender.finish(self.close_seconds)
        self._manners.close()
        if not is_sent:
            logger.warning(
                "%d records did not reach MLflow at %s. They are in %s; send them with "
                "stylekit.tracking.sync(%r) when it answers.",
                self._uploader.num_left,
                shown(self.uri),
                self._uploader.run_dir,
                str(self._uploader.run_dir),
            )

    def __getstate__(self) -> dict[str, Any]:
        # A spawned process writes to the journals; the thread of the process that opened the run sends them.
        return {**self.__dict__, "_sender": None, "_manners": ExitStack()}


def sync(run_dir: Path | str) -> int:
    """Send what a run folder holds and MLflow lacks; returns the number of records sent.

    For a run whose tracking server was away at its end. A run that never ended is marked as killed.
    """
    run_dir = Path(run_dir).absolute()
    uploader = Uploader.load(run_dir)
    if uploader is None:
        raise ConfigError(f"{run_dir} is not the folder of a run tracked by MLflow: it has no tracking.json.")
    if uploader.marker.status == "RUNNING":
        uploader.save(status="KILLED")
    with Run(run_dir).lock(), mlflow_manners():
        try:
            uploader.connect()
            num_sent = uploader.send()
            uploader.finish()
        except Exception as error:  # SQL drivers, HTTP, MLflow and artifact stores each have their own
            raise StylekitError(
                f"{uploader.num_left} records of {run_dir} did not reach MLflow at "
                f"{shown(uploader.marker.uri)}: {reason(error)}. Nothing is lost; try again when it answers."
            ) from error
    return num_sent


def _origin() -> dict[str, str]:
    tags = {"mlflow.source.name": Path(sys.argv[0]).name, "mlflow.source.type": "LOCAL"}
    with contextlib.suppress(OSError, KeyError):  # a container may run under a user without a name
        tags["mlflow.user"] = getpass.getuser()
    return tags


def _identity(entry: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in entry.items() if key != "time"}, sort_keys=True)
