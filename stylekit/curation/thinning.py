"""Take rows out of shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.shards import Shards

__all__ = ["without"]


def without(shards: Shards, failures: Mapping[str, Failure]) -> Iterator[tuple[pa.Table, pa.Table]]:
    """Yield each shard's rows that stay, and those that go, each with its reason."""
    for table in shards.tables():
        names = table["id"].to_pylist() if len(table) else []
        stays = pa.array([name not in failures for name in names], pa.bool_())
        kept = table.filter(stays) if len(table) else table
        yield kept, rejects_table((name, failures[name]) for name in names if name in failures)
