"""The manifest beside rendered images: a line for each, with all that makes it again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from stylekit.image_files import ImageFile, read_note
from stylekit.rendering.request import Item
from stylekit.run import environment, now, write_atomically

__all__ = ["Manifest", "mend_manifest"]

FILE = "manifest.jsonl"
_BEGIN = '{"file": "'
_MADE_WITH = ("stylekit", "git", "python", "torch", "diffusers", "transformers", "peft")


class Manifest:
    """A file of JSON lines in the folder of the images, one for each image there.

    Args:
        folder: Of the images.
        settings: The file in it that builds the method again.
        weights: Digest of all weights of the method.
    """

    def __init__(self, folder: Path, settings: str, weights: str) -> None:
        self.path = folder / FILE
        made_with = environment()
        self._made_by = {
            "settings": settings,
            "weights": weights,
            **{name: made_with[name] for name in _MADE_WITH},
        }

    def row(self, item: Item, name: str, explanation: Sequence[str]) -> dict[str, Any]:
        """Say what an image was made from, and how, and which files explain it."""
        return {
            "file": name,
            "prompt": item.prompt,
            "seed": item.seed,
            "references": [_described(image) for image in item.reference.images],
            "content": _described(item.content) if item.content else None,
            **({"explanation": list(explanation)} if explanation else {}),
            **self._made_by,
            "date": now(),
        }

    def add(self, row: dict[str, Any]) -> None:
        """Append a line, of an image that has been written."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def mend_manifest(folder: Path) -> None:
    """Drop lines of images that are gone, and add those that were not written any more, from the images."""
    path = folder / FILE
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    ours: dict[str, str] = {}
    theirs = [line for line in lines if not line.startswith(_BEGIN)]  # of other software: not to be lost
    notes = [note for file in sorted(folder.glob("*.png")) if (note := read_note(file))]
    for line in [*lines, *notes]:
        name = _name_in(line)
        if name is not None and (folder / name).is_file():
            ours[name] = line  # of an image that was made again the last
    mended = [*theirs, *ours.values()]
    if mended != lines:
        write_atomically(path, "".join(f"{line}\n" for line in mended))


def _name_in(line: str) -> str | None:
    """Return the file that a line speaks of; None if it is broken off, or not ours."""
    if not line.startswith(_BEGIN):
        return None
    try:
        return str(json.loads(line)["file"])
    except ValueError:
        return None


def _described(image: ImageFile) -> dict[str, str]:
    return {"path": str(image.path), "sha256": image.digest}
