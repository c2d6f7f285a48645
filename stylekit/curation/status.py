"""How far a curation is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from stylekit.curation.counting import count_rows, say_counts
from stylekit.curation.curation import STEPS
from stylekit.curation.running import shards_of
from stylekit.curation.state import read_state
from stylekit.curation.step import Counts
from stylekit.errors import ConfigError

__all__ = ["CurationStatus", "StepStatus", "curate_status"]

_REASONS = 3


@dataclass(frozen=True)
class StepStatus:
    """How far a step is."""

    name: str
    shards: int
    num_shards: int | None
    """None where it is not known yet."""
    is_done: bool
    kept: Counts
    rejected: dict[str, int]
    """How many rows for which reason."""


@dataclass(frozen=True)
class CurationStatus:
    """How far all steps are that have begun; as text, a table."""

    folder: Path
    steps: tuple[StepStatus, ...]

    def __str__(self) -> str:
        lines = []
        for step in self.steps:
            of = "?" if step.num_shards is None else str(step.num_shards)
            state = "done" if step.is_done else f"{step.shards} of {of} shards"
            lines.append(f"  {step.name:<12} {state:<18} {say_counts(step.kept)}")
            reasons = Counter(step.rejected).most_common()
            lines += [f"{'':<15}{number:>9,} rejected: {reason}" for reason, number in reasons[:_REASONS]]
            if others := sum(number for _, number in reasons[_REASONS:]):
                lines.append(f"{'':<15}{others:>9,} rejected for other reasons")
        return "\n".join(lines)


def curate_status(out: str | Path) -> CurationStatus:
    """Say how far the curation in a folder is; it may be running.

    Raises:
        ConfigError: There is no curation in the folder.
    """
    folder = Path(out).expanduser()
    states = {name: read_state(folder / name) for name in STEPS}
    if not any(states.values()):
        raise ConfigError(f"{out} is no folder of a curation: no step has begun in it.")
    steps = []
    for name in STEPS:
        state, shards = states.get(name), shards_of(folder, name)
        if state is None:
            continue
        reasons = Counter(shards.read_rejects()["reason"].to_pylist())
        steps.append(
            StepStatus(
                name, shards.num_done(), state.num_shards, state.is_done, count_rows(shards), dict(reasons)
            )
        )
    return CurationStatus(folder, tuple(steps))
