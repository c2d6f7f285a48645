"""Which split a prompt belongs to, decided by the prompt alone."""

from __future__ import annotations

import hashlib
from typing import Literal

__all__ = ["Split", "split_of"]

Split = Literal["train", "val", "test"]


def split_of(prompt: str, val: float = 0.05, test: float = 0.1) -> Split:
    """Assign a style or content prompt to a split by its hash.

    The answer depends on nothing but the prompt, so whatever is trained, wherever and on however
    much data, the styles and contents of the test split were never among what it saw.
    """
    fraction = int.from_bytes(hashlib.sha256(prompt.encode()).digest()[:8], "big") / 2**64
    if fraction < test:
        return "test"
    return "val" if fraction < test + val else "train"
