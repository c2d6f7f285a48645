"""How many rows of which kind a step kept."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from stylekit.curation.shards import Shards, read_shard
from stylekit.curation.step import Counts

__all__ = ["count_rows", "say_counts"]

_PLURALS = {"picture": "pictures", "style": "styles", "content": "contents", "image": "images"}


def count_rows(shards: Shards) -> Counts:
    """Count the kept rows of a step: of each pool, of pictures listed, or of images."""
    counts: dict[str, int] = {}
    for index in range(len(shards)):
        for kind, number in _kinds(shards, index).items():
            counts[kind] = counts.get(kind, 0) + number
    return counts


def _kinds(shards: Shards, index: int) -> Counts:
    table = read_shard(shards.part(index), ["pool"])
    if not isinstance(table, pa.Table) or "pool" not in table.column_names:
        return {"image": shards.count(index)}
    return {
        str(one["values"] or "picture"): one["counts"] for one in pc.value_counts(table["pool"]).to_pylist()
    }


def say_counts(counts: Counts) -> str:
    """Write counts for people."""
    said = [f"{counts[kind]:,} {plural}" for kind, plural in _PLURALS.items() if counts.get(kind)]
    return ", ".join(said) or "none"
