"""What a curation will take, before it is run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stylekit.curation.counting import count_rows, say_counts
from stylekit.curation.estimate import Estimate, Rate
from stylekit.curation.running import Runner, shards_of
from stylekit.curation.state import read_state
from stylekit.curation.step import Counts, RowStep

__all__ = ["DryRun", "StepOutlook", "dry_run"]


@dataclass(frozen=True)
class StepOutlook:
    """What one step will take."""

    name: str
    kept: Counts
    """At most, unless it is done."""
    estimate: Estimate
    """Of what is not done."""
    basis: str
    """Done, or where the rate comes from."""


@dataclass(frozen=True)
class DryRun:
    """What all steps will take; as text, a table."""

    steps: Sequence[StepOutlook]

    @property
    def seconds(self) -> float:
        """Of all that is not done, where that is known."""
        return sum(step.estimate.seconds or 0.0 for step in self.steps)

    @property
    def price(self) -> float:
        """Of all that is not done, where that is known."""
        return sum(step.estimate.price or 0.0 for step in self.steps)

    def __str__(self) -> str:
        rows = [
            (
                step.name,
                say_counts(step.kept),
                step.basis,
                "" if step.basis == "done" else step.estimate.describe(),
            )
            for step in self.steps
        ]
        rows = [("step", "kept, at most", "rate", "rows to do, time, price"), *rows]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = (
            "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in rows
        )
        whole = Estimate(0, self.seconds, self.price or None).describe().partition(", ")[2]
        unknown = [step.name for step in self.steps if step.basis == "unknown"]
        tars = sum(step.kept.get("tar", 0) for step in self.steps)
        uncounted = f"; pictures in tars are counted when they are read ({tars:,} tars)" if tars else ""
        beside = f", beside {', '.join(unknown)}, whose rate nobody knows" if unknown else ""
        return "\n".join([*(f"  {line}".rstrip() for line in lines), f"  in all {whole}{beside}{uncounted}"])


def dry_run(runner: Runner) -> DryRun:
    """Estimate what is not done; nothing is run, and nothing is asked of an endpoint."""
    rows: Counts = {}
    found = []
    for name, step, state, is_same in runner.states():
        shards = shards_of(runner.out, name)
        if is_same and state.is_done:
            rows = count_rows(shards)
            found.append(StepOutlook(name, rows, Estimate(0, 0.0, None), "done"))
            continue
        kept = step.expected(rows)
        num_rows = max(sum(rows.values()), sum(kept.values()))
        if is_same and state.num_shards:
            num_rows = round(num_rows * (1.0 - shards.num_done() / state.num_shards))
        workers = runner.plan.engine.workers if isinstance(step, RowStep) else 1
        outlook, basis = step.estimate(num_rows, workers), "assumed"
        before = read_state(shards.folder)  # of other settings, perhaps: its rate comes near
        if before is not None and before.rows_per_second is not None:
            measured = Rate(before.rows_per_second).estimate(num_rows)
            outlook, basis = replace(outlook, seconds=measured.seconds), "measured"
        found.append(StepOutlook(name, kept, outlook, "unknown" if outlook.seconds is None else basis))
        rows = kept
    return DryRun(found)
