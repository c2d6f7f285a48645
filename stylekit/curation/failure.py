"""What a step could not do with an item, and the table in which such items are kept."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pyarrow as pa

from stylekit.curation.valid_text import valid_name, valid_text

__all__ = ["BUSY", "FAILED", "PASSING", "REJECTS", "TOO_SLOW", "UNREACHABLE", "Failure", "rejects_table"]

UNREACHABLE = "endpoint unreachable"
BUSY = "endpoint busy"
FAILED = "endpoint failed"
TOO_SLOW = "endpoint too slow"
PASSING = (UNREACHABLE, BUSY, FAILED, TOO_SLOW)
"""Reasons that say nothing of the item: it may be asked about again at another time."""

REJECTS = pa.schema([("id", pa.string()), ("reason", pa.string()), ("detail", pa.string())])


class Failure(NamedTuple):
    """Why an item is rejected."""

    reason: str
    """One of few, to be counted."""
    detail: str
    """About this item."""


def rejects_table(failures: Iterable[tuple[str, Failure]]) -> pa.Table:
    """Make the table of items, by id, that are rejected."""
    rows = [
        {"id": valid_name(name), "reason": valid_text(failure.reason), "detail": valid_text(failure.detail)}
        for name, failure in failures
    ]
    return pa.Table.from_pylist(rows, REJECTS)
