"""Where things are kept that can be made again."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder(cache_dir: str | None = None) -> Path:
    """Return the cache folder: the given one, $STYLEKIT_CACHE, or the user's own."""
    if cache_dir is None:
        cache_dir = os.environ.get("STYLEKIT_CACHE") or os.path.join(
            os.environ.get("XDG_CACHE_HOME") or "~/.cache", "stylekit"
        )
    return Path(cache_dir).expanduser()
