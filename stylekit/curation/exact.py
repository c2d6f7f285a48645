"""Duplicates that differ in case, spaces and punctuation at most."""

from __future__ import annotations

import hashlib
import sys
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np

from stylekit.curation.removals import Removals

__all__ = ["exact_duplicates", "normalised"]


def exact_duplicates(texts: Sequence[str]) -> Removals:
    """Find the texts that are the same once normalised; the first of them stays."""
    first: dict[bytes, int] = {}
    index, through = [], []
    for row, text in enumerate(texts):
        # surrogates without their other half come with scraped captions
        said = normalised(text).encode("utf-8", "surrogatepass")
        found = first.setdefault(hashlib.blake2b(said, digest_size=16).digest(), row)
        if found != row:
            index.append(row)
            through.append(found)
    scores = np.ones(len(index), dtype=np.float32)
    return Removals.of("exact", np.array(index, dtype=np.int64), np.array(through, dtype=np.int64), scores)


def normalised(text: str) -> str:
    """Fold case and forms of letters, and let one space stand for spaces and punctuation.

    A text of nothing but punctuation stays as it is: two of them are alike only where they are the same.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().translate(_spaces()).split()) or text.strip()


@cache
def _spaces() -> dict[int, str]:
    codes = range(sys.maxunicode + 1)
    return {code: " " for code in codes if unicodedata.category(chr(code)).startswith("P")}
