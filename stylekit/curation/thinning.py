"""The steps that take prompts out: those that say the same, and those of which there are too many alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from stylekit.curation.balancing import Balancing
from stylekit.curation.deduplication import Deduplication
from stylekit.curation.estimate import Rate
from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.shards import Shards
from stylekit.curation.step import Counts, Inputs, WholeStep

__all__ = ["Balance", "Deduplicate"]

_POOLS = ("style", "content")


@final
class Deduplicate(WholeStep):
    """Takes out prompts that say what another of their pool says; the rejects name it.

    Args:
        deduplication: Which say the same.
    """

    rate = Rate(per_second=2_000.0)

    def __init__(self, deduplication: Deduplication) -> None:
        self.deduplication = deduplication

    def passes(self, rows: Counts) -> int:
        return (len(self.deduplication.levels) + 1) * sum(rows.values())

    def __call__(self, inputs: Inputs) -> Iterator[tuple[pa.Table, pa.Table]]:
        failures: dict[str, Failure] = {}
        for pool in _POOLS:
            rows = _rows_of(inputs.last, pool, ["prompt", "vector"] if self.compares_meaning else ["prompt"])
            if not len(rows):
                continue
            names = rows["id"].to_pylist()
            vectors = partial(_vectors, rows)
            found = self.deduplication(rows["prompt"].to_pylist(), vectors, inputs.advance)
            for row, stays, level, through, score in zip(*found.removals, strict=True):
                detail = f"of {names[through]}, {score:.3f} alike"
                if through != stays:
                    detail += f", which went for {names[stays]}"
                failures[names[row]] = Failure(f"{level} duplicate", detail)
        yield from _without(inputs.last, failures)

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
            rows = _rows_of(inputs.last, pool, ["vector"])
            if balancing is None or len(rows) <= balancing.size:
                continue
            everything = np.arange(len(rows))
            kept = balancing(_vectors(rows, everything), inputs.advance).kept
            names = rows["id"].to_pylist()
            for row in np.setdiff1d(everything, kept).tolist():
                failures[names[row]] = Failure("not drawn", f"{balancing.size} of {len(rows)} were")
        yield from _without(inputs.last, failures)

    def _limited(self, pool: str, number: int) -> int:
        balancing = self.of_pool.get(pool)
        return number if balancing is None else min(number, balancing.size)

    def _passes(self, pool: str, number: int) -> int:
        balancing = self.of_pool.get(pool)
        return 0 if balancing is None or number <= balancing.size else balancing.passes(number)


def _rows_of(shards: Shards, pool: str, columns: list[str]) -> pa.Table:
    rows = shards.read(["id", "pool", *columns])
    return rows.filter(pc.equal(rows["pool"].cast(pa.string()), pool))


def _vectors(rows: pa.Table, at: NDArray[np.int64]) -> NDArray[np.float32]:
    column = rows["vector"].take(pa.array(at)).combine_chunks()
    flat = np.asarray(column.flatten().to_numpy(zero_copy_only=False), dtype=np.float32)
    return flat.reshape(len(at), -1)


def _without(shards: Shards, failures: Mapping[str, Failure]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield each shard's rows that stay, and those that go, each with its reason."""
    for table in shards.tables():
        names = table["id"].to_pylist() if len(table) else []
        stays = pa.array([name not in failures for name in names], pa.bool_())
        kept = table.filter(stays) if len(table) else table
        yield kept, rejects_table((name, failures[name]) for name in names if name in failures)
