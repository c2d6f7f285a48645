"""How many rows of which kind a step kept."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from stylekit.curation.shards import Shards, read_shard
from stylekit.curation.step import Counts

__all__ = ["PLURALS", "count_rows", "count_shard", "say_counts"]

PLURALS = {
    "picture": "pictures", "tar": "tars", "style": "styles", "content": "contents", "image": "images"
}  # fmt: skip
"""Of the kinds of rows."""


def count_rows(shards: Shards) -> Counts:
    """Count the kept rows of a step: of each pool, of pictures listed, or of images."""
    counts: dict[str, int] = {}
    for index in range(len(shards)):
        for kind, number in count_shard(shards, index).items():
            counts[kind] = counts.get(kind, 0) + number
    return counts


def count_shard(shards: Shards, index: int) -> Counts:
    """Count the kept rows of one shard; of a list, the pictures listed in it."""
    listed = read_shard(shards.part(index), ["pool", "images"])
    if isinstance(listed, pa.Table) and len(listed):
        found: dict[str, int] = {}
        for row in listed.to_pylist():
            is_counted = row["images"] is not None
            kind = row["pool"] or "picture" if is_counted else "tar"
            found[kind] = found.get(kind, 0) + (row["images"] if is_counted else 1)
        return found
    table = read_shard(shards.part(index), ["pool"])
    if not isinstance(table, pa.Table) or not len(table):
        return {"image": shards.count(index)}
    return {str(one["values"]): one["counts"] for one in pc.value_counts(table["pool"]).to_pylist()}


def say_counts(counts: Counts) -> str:
    """Write counts for people."""
    said = [f"{counts[kind]:,} {plural}" for kind, plural in PLURALS.items() if counts.get(kind)]
    return ", ".join(said) or "none"
