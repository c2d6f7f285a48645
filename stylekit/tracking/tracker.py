"""What every tracker does: metrics and pictures into the run folder, whatever becomes of the rest."""

from __future__ import annotations

import hashlib
import re
import time
from abc import abstractmethod
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, final

from jaxtyping import Float
from lightning.fabric.utilities.rank_zero import rank_zero_only
from lightning.pytorch.loggers import Logger
from torch import Tensor

from stylekit.errors import ConfigError
from stylekit.image_files import save_png
from stylekit.tracking.grid import image_grid
from stylekit.tracking.journal import Journal, as_json

__all__ = ["LocalTracker", "Status", "Tracker"]

Status = Literal["FINISHED", "FAILED", "KILLED"]

# What trackers keep in a run folder, beside samples/.
FILES = ("metrics.jsonl", "metrics.dropped.jsonl", "system_metrics.jsonl", "outbox.jsonl", "tracking.json")


class Tracker(Logger):
    """A Lightning logger that belongs to one run folder from `open` to `close`; only rank zero writes.

    A run may consist of several fits (stages): Lightning's own `finalize` does not end it. `offset` is
    added to the step of everything logged, so that the steps of a later stage follow on those before.
    """

    def __init__(self) -> None:
        super().__init__()
        self.offset = 0
        self._run_dir: Path | None = None
        self._metrics: Journal | None = None

    @final
    @rank_zero_only
    def open(
        self,
        run_dir: Path | str,
        run_name: str,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        parent_run_id: str | None = None,
        anew: bool = False,
        reopen: bool = False,
    ) -> str | None:
        """Begin tracking in a run folder, or go on with what it holds; returns the MLflow run id, if any.

        With `anew`, what the folder holds of an earlier run is forgotten; its MLflow run stays as it is. With
        `reopen`, something is added to a run that has ended, and its status and end stay as they are.
        """
        self._run_dir = Path(run_dir).absolute()
        for name in FILES if anew else ():
            (self._run_dir / name).unlink(missing_ok=True)
        parent = {} if parent_run_id is None else {"mlflow.parentRunId": parent_run_id}
        words = {key: str(value) for key, value in {**(tags or {}), **parent}.items()}
        run_id = self._begin(self._run_dir, run_name, run_id, words, reopen)
        self._metrics = Journal(self._run_dir / "metrics.jsonl")
        return run_id

    @final
    @rank_zero_only
    def truncate(self, step: int) -> None:
        """Drop the metrics after `step`, which a resumed run will measure again."""
        if self._journal().size:
            self._drop(self._journal(), step)

    @final
    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float | Tensor], step: int | None = None) -> None:
        """Add one line to metrics.jsonl."""
        self._journal().append(
            {
                "step": None if step is None else step + self.offset,
                "time": round(time.time(), 3),
                "metrics": {key: as_json(float(value)) for key, value in metrics.items()},
            }
        )

    @final
    @rank_zero_only
    def log_hyperparams(self, params: Mapping[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:
        """Record what the run was started with; nested values get dotted names."""
        values = vars(params) if isinstance(params, Namespace) else params
        self._publish({"kind": "params", "params": dict(_flat(values))})

    @final
    @rank_zero_only
    def log_images(
        self, key: str, images: Float[Tensor, "n 3 h w"], step: int, columns: int | None = None
    ) -> Path | None:
        """Save images in [0, 1] as one picture under samples/step=00000500/; returns its path."""
        step += self.offset
        name = re.sub(r"[^0-9A-Za-z_.-]+", "_", key)
        path = self._folder() / "samples" / f"step={step:08d}" / f"{name}.png"
        save_png(image_grid(images, columns), path)
        digest = hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
        file = self._relative(path)
        self._publish({"kind": "image", "key": key, "step": step, "file": file, "digest": digest})
        return path

    @final
    @rank_zero_only
    def log_artifact(self, path: Path | str, folder: str | None = None) -> None:
        """Keep a file, or all of a directory, with the run."""
        path = Path(path).absolute()
        if not path.exists():
            raise ConfigError(f"Cannot track {path}: there is no such file.")
        state = path.stat()
        version, file = [state.st_size, state.st_mtime_ns], self._relative(path)
        self._publish({"kind": "artifact", "file": file, "folder": folder, "version": version})

    @final
    @rank_zero_only
    def log_dataset(self, name: str, digest: str, counts: Mapping[str, Any] | None = None) -> None:
        """Record which data the run used."""
        self._publish({"kind": "dataset", "name": name, "digest": digest, "counts": dict(counts or {})})

    @final
    @rank_zero_only
    def close(self, status: Status = "FINISHED") -> None:
        """End the run; calling it again does nothing."""
        if self._metrics is None:
            return
        self._end(status)
        self._metrics.close()
        self._metrics = None

    @property
    def run_id(self) -> str | None:
        """The MLflow run, once there is one."""
        return None

    @property
    def name(self) -> str:
        """Empty, so that what Lightning saves by default goes directly into the run folder."""
        return ""

    @property
    def version(self) -> str:
        """Empty, like `name`."""
        return ""

    @property
    def save_dir(self) -> str | None:
        """The run folder."""
        return None if self._run_dir is None else str(self._run_dir)

    @abstractmethod
    def _begin(
        self, run_dir: Path, run_name: str, run_id: str | None, tags: dict[str, str], reopen: bool
    ) -> str | None:
        """Create, continue or reopen the run; returns its MLflow id."""

    @abstractmethod
    def _drop(self, metrics: Journal, step: int) -> None:
        """Drop the lines after a step."""

    @abstractmethod
    def _publish(self, entry: dict[str, Any]) -> None:
        """Pass on what is not a metric."""

    @abstractmethod
    def _end(self, status: Status) -> None:
        """Bring what is left to its place."""

    def _journal(self) -> Journal:
        if self._metrics is None:
            raise ConfigError(
                "This tracker has no run folder: call tracker.open(run_dir, run_name) before logging."
            )
        return self._metrics

    def _folder(self) -> Path:
        return self._journal().path.parent

    def _relative(self, path: Path) -> str:
        folder = self._folder()
        return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


@final
class LocalTracker(Tracker):
    """Tracks a run in its folder alone: metrics.jsonl and samples/."""

    def _begin(
        self, run_dir: Path, run_name: str, run_id: str | None, tags: dict[str, str], reopen: bool
    ) -> str | None:
        return None

    def _drop(self, metrics: Journal, step: int) -> None:
        metrics.keep(lambda line: is_before(line, step))

    def _publish(self, entry: dict[str, Any]) -> None:
        """Do nothing: the config and the pictures already lie in the run folder."""

    def _end(self, status: Status) -> None:
        pass


def is_before(line: Mapping[str, Any], step: int) -> bool:
    """Whether a line of metrics.jsonl was written up to and including `step`."""
    return line.get("step") is None or line["step"] <= step


def _flat(values: Mapping[Any, Any], prefix: str = "") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found += _flat(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", str(value)))
    return found
