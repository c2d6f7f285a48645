"""Text that can be written: names of files and answers of models hold what is no Unicode."""

from __future__ import annotations

__all__ = ["valid_name", "valid_text"]


def valid_text(text: str) -> str:
    """Replace what cannot be encoded, as half of a pair of surrogates, by a question mark."""
    return text.encode("utf-8", "replace").decode()


def valid_name(name: str) -> str:
    """Write out what cannot be encoded, so that different names stay different."""
    return name.encode("utf-8", "backslashreplace").decode()
