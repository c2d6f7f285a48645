"""The data set: Parquet shards in the layout of the MegaStyle release, and its card."""

from __future__ import annotations

import json
from typing import ClassVar, final

import pyarrow as pa

from stylekit.curation.card import write_card
from stylekit.curation.estimate import Rate
from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.step import Inputs, RowStep

__all__ = ["Write"]

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
# What makes Hugging Face `datasets` decode the column as images.
_FEATURES = {
    "image": {"_type": "Image"},
    "style": {"dtype": "string", "_type": "Value"},
    "content": {"dtype": "string", "_type": "Value"},
    "id": {"dtype": "string", "_type": "Value"},
    "style_id": {"dtype": "string", "_type": "Value"},
    "content_id": {"dtype": "string", "_type": "Value"},
    "seed": {"dtype": "int64", "_type": "Value"},
    "consistency": {"dtype": "float64", "_type": "Value"},
    "is_outlier": {"dtype": "bool", "_type": "Value"},
}
_SCHEMA = pa.schema(
    [
        ("image", _IMAGE),
        ("style", pa.string()),
        ("content", pa.string()),
        ("id", pa.string()),
        ("style_id", pa.string()),
        ("content_id", pa.string()),
        ("seed", pa.int64()),
        ("consistency", pa.float64()),  # null without an audit
        ("is_outlier", pa.bool_()),
    ],
    {"huggingface": json.dumps({"info": {"features": _FEATURES}})},
)


@final
class Write(RowStep):
    """Writes the images with their prompts and judgements, a data card, a contact sheet and a figure.

    Args:
        title: Of the card.
        licence: Of the data set; those of its sources stand in the card.
        drop_outliers: Leave out images that the audit marked; those that a damaged shard of it judged stay.
    """

    rate = Rate(per_second=2_000.0)
    layout: ClassVar[pa.Schema] = _SCHEMA  # readers of the data set want one of all shards
    source: ClassVar[str | None] = "synthesize"
    beside: ClassVar[str | None] = "audit"

    def __init__(
        self, title: str = "Images of styles", licence: str = "unknown", drop_outliers: bool = False
    ) -> None:
        self.title, self.licence, self.drop_outliers = title, licence, drop_outliers

    def __call__(self, table: pa.Table) -> tuple[pa.Table, pa.Table]:
        rows, rejects = list[dict[str, object]](), list[tuple[str, Failure]]()
        for row in table.to_pylist():
            if self.drop_outliers and row.get("is_outlier"):
                rejects.append((row["id"], Failure("outlier", f"consistency {row['consistency']}")))
                continue
            rows.append({**row, "image": {"bytes": row["image"], "path": f"{row['id']}.png"}})
        return pa.Table.from_pylist(rows, schema=_SCHEMA), rejects_table(rejects)

    def finish(self, inputs: Inputs) -> None:
        write_card(inputs, self.title, self.licence, inputs.into)
