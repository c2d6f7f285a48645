"""What a task leaves behind when it is done."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from stylekit.errors import DataError
from stylekit.result import read_result

__all__ = ["Done", "read_done"]


class Done(BaseModel):
    """Which run it was, and where the copy of its result lies."""

    model_config = ConfigDict(extra="forbid")

    config_digest: str
    run: str | None
    """Folder of the run; None for a method that needs no training."""
    result: str


def read_done(path: Path, config_digest: str) -> Done | None:
    """Read what a task left, if it was of this very config and its result can still be read."""
    try:
        done = Done.model_validate_json(path.read_text())
    except (OSError, ValidationError):
        return None
    if done.config_digest != config_digest or not Path(done.result).with_suffix(".npz").is_file():
        return None
    try:
        read_result(Path(done.result))
    except DataError:  # lost, or of an earlier version of stylekit: the point is measured again
        return None
    return done
