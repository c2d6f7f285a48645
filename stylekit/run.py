"""A run's folder: where everything of one training lies, and what state it is in."""

from __future__ import annotations

import fcntl
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path, PurePath
from typing import Any, Literal

import yaml

from stylekit.errors import ConfigError

__all__ = [
    "Run",
    "RunState",
    "Status",
    "environment",
    "find_run",
    "flatten",
    "is_main_process",
    "now",
    "peak_memory",
    "replacing",
    "without_folders",
    "write_atomically",
]

Status = Literal["running", "finished", "failed", "killed"]


@dataclass
class RunState:
    """What run.json says."""

    name: str
    experiment: str
    method: str
    status: Status = "running"
    seed: int = 0
    config_digest: str = ""
    data_digest: str = ""
    stages_done: list[str] = field(default_factory=list)
    mlflow_run_id: str | None = None
    parent_run_id: str | None = None
    command: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    started: str = ""
    seconds: float = 0.0


class Run:
    """The folder of one run.

    config.yaml  overrides.txt  run.json  metrics.jsonl  train.log
    checkpoints/STAGE/step=00000500.ckpt  checkpoints/STAGE/last.ckpt  checkpoints/final.ckpt
    samples/  eval/*.json
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def find(cls, path: Path | str) -> Run:
        """Open an existing run folder."""
        run = find_run(path)
        if run is None:
            raise ConfigError(
                f"{path} is not a run: it has no run.json. Give a folder that `stylekit train` made."
            )
        return run

    @property
    def state_file(self) -> Path:
        """Where the state is kept."""
        return self.path / "run.json"

    @property
    def config_file(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def final_checkpoint(self) -> Path:
        """All that was learned, once every stage is done."""
        return self.path / "checkpoints" / "final.ckpt"

    def last_checkpoint(self, stage: str) -> Path | None:
        """The newest checkpoint inside a stage."""
        last = self.path / "checkpoints" / stage / "last.ckpt"
        return last if last.exists() else None

    def read(self) -> RunState | None:
        """Read run.json, or None where the run has not begun."""
        if not self.state_file.is_file():
            return None
        return RunState(**json.loads(self.state_file.read_text()))

    def write(self, state: RunState) -> None:
        """Replace run.json."""
        write_atomically(self.state_file, json.dumps(asdict(state), indent=2) + "\n")

    def tracking_uri(self) -> str | None:
        """Where the run is tracked beside its folder, if anywhere."""
        config = yaml.safe_load(self.config_file.read_text())
        uri = config["tracking"].get("uri")
        return None if uri is None else str(uri)

    def point_latest(self) -> None:
        """Let `latest` beside the run folder point to it."""
        link = self.path.parent / "latest"
        temporary = self.path.parent / f".latest-{os.getpid()}"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(self.path.name)
        temporary.replace(link)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Keep a second process from training into the same folder."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.lockf(
                    file, fcntl.LOCK_EX | fcntl.LOCK_NB
                )  # not inherited by forked workers, as flock is
            except (BlockingIOError, PermissionError):
                raise ConfigError(
                    f"Another process is training in {self.path}. "
                    "Wait for it, or start a separate run with --new-run."
                ) from None
            yield


def environment() -> dict[str, str]:
    """Versions that a result depends on."""
    found = {
        name: version(name)
        for name in ("stylekit", "torch", "lightning", "transformers", "diffusers", "peft")
    }
    return {"python": platform.python_version(), "machine": platform.machine(), "git": _git_commit(), **found}


def is_main_process() -> bool:
    """Tell the process that writes from those that a launcher started for further devices."""
    for names in (("RANK",), ("SLURM_PROCID",), ("NODE_RANK", "GROUP_RANK", "LOCAL_RANK")):
        if ranks := [int(os.environ[name]) for name in names if os.environ.get(name)]:
            return not any(ranks)
    return True


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name to write to that becomes the path at the end: a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a text, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text)


def now() -> str:
    """The time, for people."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def peak_memory() -> int:
    """Return the most memory that this process has held, in bytes."""
    status = Path("/proc/self/status")
    if status.is_file():  # what getrusage says there begins with the peak of the parent process
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # bytes there, kilobytes elsewhere


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten a nested config to dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def find_run(target: str | Path) -> Run | None:
    """Open the run whose folder a target names, finished or not; None where it names something else."""
    run = Run(Path(target).expanduser())
    return run if run.state_file.is_file() else None


def without_folders(node: Any) -> Any:
    """Leave of each path in a config its name: others have it elsewhere."""
    if isinstance(node, dict):
        return {key: without_folders(value) for key, value in node.items()}
    if isinstance(node, list):
        return [without_folders(value) for value in node]
    if isinstance(node, str) and (PurePath(node).is_absolute() or node.startswith("~")):
        return PurePath(node).name
    return node


def _git_commit() -> str:
    """Name the commit of the checkout that this file belongs to, if it is one."""
    checkout = Path(__file__).parents[1]
    if not (checkout / ".git").exists() or shutil.which("git") is None:
        return "none"
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    return asked.stdout.strip() if asked.returncode == 0 else "none"
