"""What is known of a step beside its shards: whether it is done, and of which settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stylekit.run import flatten, write_atomically

__all__ = ["STATE_FILE", "StepState", "difference", "read_state", "write_state"]

STATE_FILE = "step.json"


@dataclass
class StepState:
    """What step.json says."""

    digest: str
    """Of the settings and of all that the step reads."""
    settings: dict[str, Any] = field(default_factory=dict)
    before: str = ""
    """Digest of the step before."""
    num_shards: int | None = None
    """None until it is known."""
    is_done: bool = False
    asked_in_vain: int | None = None
    """Rows rejected for trouble that passes, when the step was run last."""
    rows_per_second: float | None = None
    """Measured when it was done in one go."""


def read_state(folder: Path) -> StepState | None:
    """Read the state of a step; None where it has not begun."""
    file = folder / STATE_FILE
    return StepState(**json.loads(file.read_text())) if file.is_file() else None


def write_state(folder: Path, state: StepState) -> None:
    """Replace the state of a step."""
    write_atomically(folder / STATE_FILE, json.dumps(asdict(state), indent=2) + "\n")


def difference(old: StepState, settings: Mapping[str, Any], before: str) -> str:
    """Say why a step must be done again."""
    was, now = flatten(old.settings), flatten(dict(settings))
    for key in [*now, *was]:
        if was.get(key) != now.get(key):
            return f"{key} is {now.get(key)!r} and was {was.get(key)!r}"
    return "a step before it changed" if old.before != before else "what it reads changed"
