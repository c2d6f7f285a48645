"""The contract of a step: rows of shards in, kept and rejected rows out."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import pyarrow as pa

from stylekit.curation.estimate import Estimate, Rate
from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.progress import Advance, unseen
from stylekit.curation.shards import Shards

__all__ = ["Counts", "Inputs", "RowStep", "Step", "WholeStep"]

Counts = Mapping[str, int]
"""How many rows of each kind: "style", "content", and of pairs "image"."""


@dataclass(frozen=True)
class Inputs:
    """What the steps before have written, by name, in order."""

    steps: Mapping[str, Shards]
    into: Shards
    """Where the step itself writes."""
    advance: Advance = unseen
    """Told of rows that were gone through before the first shard is yielded."""
    _told: set[str] = field(default_factory=set, compare=False)

    @property
    def last(self) -> Shards:
        """Of the step before."""
        return list(self.steps.values())[-1]

    def lost(self) -> pa.Table:
        """Return, as rejects, the shards that could not be read and were not told of before."""
        found: dict[str, Failure] = {}
        for shards in self.steps.values():
            found |= shards.lost
            shards.lost.clear()
        new = [(name, failure) for name, failure in found.items() if name not in self._told]
        self._told.update(found)
        return rejects_table(new)


class Step:
    """A step of the pipeline. Constructing one loads nothing."""

    not_in_digest: ClassVar[frozenset[str]] = frozenset()
    """Settings that change how long the step takes, and not what it gives."""
    rate: Rate = Rate()
    """Of one worker, for estimates."""

    def check(self) -> None:
        """Raise what is to be said where something that it needs to run is not here; before any step runs."""

    def inputs(self) -> str:
        """Return a digest of what it reads beside the steps before: pictures, weights."""
        return ""

    def expected(self, rows: Counts) -> Counts:
        """Say how many rows will be kept of so many, at most."""
        return rows

    def estimate(self, num_rows: int, num_workers: int = 1) -> Estimate:
        """Say what so many rows take, before anything is measured."""
        return self.rate.estimate(num_rows, num_workers)


class RowStep(Step):
    """A step whose rows need no other shard: mapped over shards by an engine; must be picklable.

    Attributes:
        source: The step whose rows it takes, by name; None for the step before.
        beside: A step whose columns these rows are given, by their ids, where there is that step.
        layout: Of a shard without rows.
    """

    layout: ClassVar[pa.Schema] = pa.schema([])
    source: ClassVar[str | None] = None
    beside: ClassVar[str | None] = None

    @abstractmethod
    def __call__(self, table: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Return the kept rows, and the rejected ones as id, reason, detail; `table` has rows."""

    def finish(self, inputs: Inputs) -> None:
        """Do what takes all of its shards, which are written."""


class WholeStep(Step):
    """A step that needs all rows. It runs in one process, and again from its beginning when it was killed."""

    def passes(self, rows: Counts) -> int:
        """Say how many rows it goes through of so many, each as often as it does, at most."""
        return sum(rows.values())

    @abstractmethod
    def __call__(self, inputs: Inputs) -> Iterator[tuple[pa.Table, pa.Table]]:
        """Yield the kept and the rejected rows of one shard after the other."""
