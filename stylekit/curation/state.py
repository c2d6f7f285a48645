"""What is known of a step beside its shards: whether it is done, and of which settings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stylekit import __version__
from stylekit.config.target import resolve_target
from stylekit.curation.captioning import Captioner
from stylekit.curation.step import Step
from stylekit.curation.synthesis import Synthesizer
from stylekit.run import flatten, write_atomically

__all__ = ["StepState", "difference", "read_state", "settings_of", "step_digest", "write_state"]

_FILE = "step.json"


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
    rows_per_second: float | None = None
    """Measured when it was done in one go."""


def read_state(folder: Path) -> StepState | None:
    """Read the state of a step; None where it has not begun."""
    file = folder / _FILE
    return StepState(**json.loads(file.read_text())) if file.is_file() else None


def write_state(folder: Path, state: StepState) -> None:
    """Replace the state of a step."""
    write_atomically(folder / _FILE, json.dumps(asdict(state), indent=2) + "\n")


def step_digest(settings: Mapping[str, Any], before: str, inputs: str) -> str:
    """Hash the settings of a step and what it reads."""
    text = json.dumps([settings, before, inputs, __version__], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def settings_of(node: Any) -> Any:
    """Return a config node without what does not change the rows that it gives."""
    if isinstance(node, list):
        return [settings_of(item) for item in node]
    if not isinstance(node, dict):
        return node
    dropped = frozenset[str]()
    if "_target_" in node:
        cls = resolve_target(node["_target_"])
        dropped = cls.not_in_digest if issubclass(cls, (Step, Captioner, Synthesizer)) else dropped
    return {key: settings_of(value) for key, value in node.items() if key not in dropped}


def difference(old: StepState, settings: Mapping[str, Any], before: str) -> str:
    """Say why a step must be done again."""
    was, now = flatten(old.settings), flatten(dict(settings))
    for key in [*now, *was]:
        if was.get(key) != now.get(key):
            return f"{key} is {now.get(key)!r} and was {was.get(key)!r}"
    return "a step before it changed" if old.before != before else "what it reads changed"
