"""Take away what a step has written, and nothing else."""

from __future__ import annotations

import re

from stylekit.curation.shards import Shards
from stylekit.curation.state import STATE_FILE
from stylekit.errors import ConfigError

__all__ = ["check_ours", "clear"]

_SHARD = re.compile(r"\.?(part|rejects)-\d{5,}\.parquet(\.\d+)?")
_BESIDE = {STATE_FILE, "README.md", "sheet.jpg", "pipeline.svg"}


def check_ours(shards: Shards) -> None:
    """Raise ConfigError where a step would write into a folder of somebody else."""
    if (shards.folder / STATE_FILE).is_file():
        return
    for folder in {shards.folder, shards.parts}:
        if not folder.exists():
            continue
        names = [file.name for file in folder.iterdir()] if folder.is_dir() else [""]
        if names and not _are_ours(names):
            raise ConfigError(
                f"{folder} is there and no step of a curation wrote it. Nothing was deleted: choose another "
                "--out, or move it away."
            )


def clear(shards: Shards) -> None:
    """Remove what a step has written; shards go last, since what else lies beside them is known by them."""
    check_ours(shards)
    # first of all: a step that seems to have begun, with some of its shards left, would be gone on with
    (shards.folder / STATE_FILE).unlink(missing_ok=True)
    for folder in {shards.folder, shards.parts}:
        files = sorted(folder.iterdir(), key=lambda file: _is_shard(file.name)) if folder.exists() else []
        for file in files:
            if _is_shard(file.name) or file.name in _BESIDE:
                file.unlink()


def _are_ours(names: list[str]) -> bool:
    shards = [name for name in names if _is_shard(name)]
    return bool(shards) and {*names} <= {*shards, *_BESIDE}


def _is_shard(name: str) -> bool:
    return _SHARD.fullmatch(name) is not None
