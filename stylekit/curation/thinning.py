"""The steps that take prompts out: those that say the same, and those of which there are too many alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stylekit.curation.balancing import Balancing
from stylekit.curation.deduplication import Deduplicator
from stylekit.curation.estimate import Rate
from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.shards import Shards
from stylekit.curation.step import Counts, Inputs, WholeStep
from stylekit.errors import DataError

__all__ = ["Balance", "Deduplicate"]

_POOLS = ("style", "content")


@final
class Deduplicate(WholeStep):
    """Takes out prompts that say what another of their pool says; the rejects name it.

    Args:
        deduplication: Which say the same.
    """

    rate = Rate(per_second=2_000.0)

    def __init__(self, deduplication: Deduplicator) -> None:
        self.deduplication = deduplication

    def check(self) -> None:
        self.deduplication.check()

    def passes(self, rows: Counts) -> int:
        return (len(self.deduplication.levels) + 1) * sum(rows.values())

    def __call__(self, inputs: Inputs) -> Iterator[tuple[pa.Table, pa.Table]]:
        failures: dict[str, Failure] = {}
        with self.deduplication.ready():
            for pool in _POOLS:
                failures |= self._duplicates(inputs, pool)
        yield from _without(inputs.last, failures)

    def _duplicates(self, inputs: Inputs, pool: str) -> dict[str, Failure]:
        names, prompts = _columns(inputs.last, pool, ["id", "prompt"], ["vector"] * self.compares_meaning)
        if not names:
            return {}
        vectors = partial(_vectors, inputs.last, pool, len(names))
        removals = self.deduplication(prompts, vectors, inputs.advance).removals
        found = {}
        for row, stays, level, through, score in zip(*removals, strict=True):
            detail = f"of {names[through]}, {score:.3f} alike"
            if through != stays:
                detail += f", which went for {names[stays]}"
            found[names[row]] = Failure(f"{level} duplicate", detail)
        return found

    @property
    def compares_meaning(self) -> bool:
        """Whether it needs the vectors of the prompts."""
        return "semantic" in self.deduplication.levels


@final
class Balance(WholeStep):
    """Takes as many prompts of rare kinds as of frequent ones.

    Args:
        style: How many style prompts to take, and of which kinds; null for all.
        content: The same for content prompts.
    """

    rate = Rate(per_second=2_000.0)

    def __init__(self, style: Balancing | None = None, content: Balancing | None = None) -> None:
        self.of_pool = {"style": style, "content": content}

    def expected(self, rows: Counts) -> Counts:
        return {pool: self._limited(pool, number) for pool, number in rows.items()}

    def passes(self, rows: Counts) -> int:
        return sum(number * (1 + self._passes(pool, number)) for pool, number in rows.items())

    def __call__(self, inputs: Inputs) -> Iterator[tuple[pa.Table, pa.Table]]:
        failures: dict[str, Failure] = {}
        for pool, balancing in self.of_pool.items():
            if balancing is not None:
                failures |= _not_drawn(inputs, pool, balancing)
        yield from _without(inputs.last, failures)

    def _limited(self, pool: str, number: int) -> int:
        balancing = self.of_pool.get(pool)
        return number if balancing is None else min(number, balancing.size)

    def _passes(self, pool: str, number: int) -> int:
        balancing = self.of_pool.get(pool)
        return 0 if balancing is None or number <= balancing.size else balancing.passes(number)


def _not_drawn(inputs: Inputs, pool: str, balancing: Balancing) -> dict[str, Failure]:
    (names,) = _columns(inputs.last, pool, ["id"], ["vector"])
    if len(names) <= balancing.size:
        return {}
    everything = np.arange(len(names))
    kept = balancing(_vectors(inputs.last, pool, len(names), everything), inputs.advance).kept
    why = Failure("not drawn", f"{balancing.size} of {len(names)} were")
    return {names[row]: why for row in np.setdiff1d(everything, kept).tolist()}


def _columns(shards: Shards, pool: str, columns: Sequence[str], others: Sequence[str]) -> list[list[str]]:
    """Return columns of a pool's rows, of shards in which the `others` can be read too."""
    found: list[list[str]] = [[] for _ in columns]
    for table in shards.tables(["pool", *columns, *others]):
        if len(table):
            some = table.select(columns).filter(pc.equal(table["pool"], pool))
            for values, name in zip(found, columns, strict=True):
                values += some[name].to_pylist()
    return found


def _vectors(shards: Shards, pool: str, count: int, at: NDArray[np.int64]) -> NDArray[np.float32]:
    """Read the vectors of some of a pool's `count` rows, ascending, shard by shard into one array."""
    found, start = np.empty((len(at), 0), dtype=np.float32), 0
    for table in shards.tables(["pool", "vector"]):
        if not len(table):
            continue
        column = table["vector"].filter(pc.equal(table["pool"], pool)).combine_chunks()
        low, high = np.searchsorted(at, [start, start + len(column)])
        if high > low:
            rows = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
            if not found.shape[1]:
                found = np.empty((len(at), rows.shape[1]), dtype=np.float32)
            found[low:high] = rows[at[low:high] - start]
        start += len(column)
    if start != count:
        raise DataError(f"{shards.folder} changed while it was read: run the same command again.")
    return found


def _without(shards: Shards, failures: Mapping[str, Failure]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield each shard's rows that stay, and those that go, each with its reason."""
    for table in shards.tables():
        names = table["id"].to_pylist() if len(table) else []
        stays = pa.array([name not in failures for name in names], pa.bool_())
        kept = table.filter(stays) if len(table) else table
        yield kept, rejects_table((name, failures[name]) for name in names if name in failures)
