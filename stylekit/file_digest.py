"""Hashes of files; those of large ones are kept, for reading weights takes as long as loading them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from stylekit.cache import cache_folder
from stylekit.run import write_atomically

__all__ = ["file_digest", "files_digest"]

_SMALL = 2**26
_BLOCK = 2**22


def file_digest(path: Path) -> str:
    """Hash a file's bytes, or look up what was found when it had this place, size and time of change."""
    state = path.stat()
    if state.st_size <= _SMALL:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    key = hashlib.sha256(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()
    kept = cache_folder() / "digests" / key[:24]
    if kept.is_file() and len(known := kept.read_text()) == 64:
        return known
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    write_atomically(kept, digest.hexdigest())
    return digest.hexdigest()


def files_digest(files: Iterable[Path]) -> str:
    """Hash names and bytes of files, in their order; nothing of none."""
    hashes = [f"{file.name} {file_digest(file)}" for file in files]
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest() if hashes else ""
