"""What a step could not do with an item, and the table in which such items are kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

__all__ = ["REJECTS", "Failure", "rejects_table"]

REJECTS = pa.schema([("id", pa.string()), ("reason", pa.string()), ("detail", pa.string())])


class Failure(NamedTuple):
    """Why an item is rejected."""

    reason: str
    """One of few, to be counted."""
    detail: str
    """About this item."""


def rejects_table(failures: Iterable[tuple[str, Failure]]) -> pa.Table:
    """Make the table of items, by id, that are rejected."""
    rows = [{"id": name, **failure._asdict()} for name, failure in failures]
    return pa.Table.from_pylist(rows, REJECTS)
