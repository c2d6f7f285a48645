"""What a deduplication takes out, and for which row that stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

__all__ = ["LEVELS", "Level", "Removals", "joined", "kept_rows"]

Level = Literal["exact", "fuzzy", "semantic"]
LEVELS: tuple[Level, ...] = get_args(Level)


class Removals(NamedTuple):
    """One entry for each row that goes; the rows in `duplicate_of` stay."""

    row: NDArray[np.int64]
    """Rows that go, ascending."""
    duplicate_of: NDArray[np.int64]
    level: NDArray[np.str_]
    through: NDArray[np.int64]
    """The row that stayed for it at that level; where that one went at a later level, not `duplicate_of`."""
    score: NDArray[np.float32]
    """How alike it and `through` are by the level's measure: 1, the Jaccard index of shingles, the cosine."""

    @classmethod
    def of(
        cls, level: Level, row: NDArray[np.int64], through: NDArray[np.int64], score: NDArray[np.float32]
    ) -> Removals:
        """Make those of one level."""
        return cls(row, through, np.full(len(row), level, dtype="<U8"), through, score)


def joined(levels: Sequence[Removals]) -> Removals:
    """Put together what levels took out one after the other; every row leads to one that stays in the end.

    A row whose duplicate goes at a later level is led on to what that one duplicates.
    """
    columns = [np.concatenate(column) for column in zip(*levels, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    row, duplicate_of, level, through, score = (column[order] for column in columns)
    while len(row):
        at = np.minimum(np.searchsorted(row, duplicate_of), len(row) - 1)
        goes_too = row[at] == duplicate_of
        if not goes_too.any():
            break
        duplicate_of = np.where(goes_too, duplicate_of[at], duplicate_of)
    return Removals(row, duplicate_of, level, through, score)


def kept_rows(count: int, removals: Removals) -> NDArray[np.int64]:
    """Return the rows that stay of so many, ascending."""
    stays = np.ones(count, dtype=bool)
    stays[removals.row] = False
    return np.flatnonzero(stays)
