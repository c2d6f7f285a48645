"""How what takes long says how far it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

__all__ = ["Advance", "unseen"]

Advance: TypeAlias = Callable[[int], object]
"""Is told of rows that were gone through."""


def unseen(rows: int) -> None:
    """Show no progress."""
