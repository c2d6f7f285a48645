"""Mistakes in a config, gathered so that the user sees all of them at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stylekit.errors import ConfigError, MissingError

__all__ = ["Mistake", "raise_mistakes", "suggestion"]


@dataclass(frozen=True)
class Mistake:
    """One thing to put right: `where` is "file:line" or the override at fault."""

    where: str
    what: str
    is_missing: bool = False  # a dependency or plug-in is not installed; the config itself may be right


def suggestion(word: str, choices: Iterable[str]) -> str:
    """Name the nearest valid choice, then all of them."""
    known = sorted(set(choices))
    if not known:
        return "There is none to choose from."
    lowered = {choice.lower(): choice for choice in known}
    nearest = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    hint = f"Did you mean {lowered[nearest[0]]!r}? " if nearest else ""
    return f"{hint}Valid: {', '.join(known)}."


def raise_mistakes(mistakes: Sequence[Mistake], subject: str) -> None:
    """Raise one error that lists all mistakes; do nothing if there are none."""
    unique = list(dict.fromkeys(mistakes))
    if not unique:
        return
    count = "1 mistake" if len(unique) == 1 else f"{len(unique)} mistakes"
    lines = [f"{count} in {subject}:"]
    lines += [f"  {number}. {one.where}: {one.what}" for number, one in enumerate(unique, 1)]
    error = MissingError if all(one.is_missing for one in unique) else ConfigError
    raise error("\n".join(lines))
