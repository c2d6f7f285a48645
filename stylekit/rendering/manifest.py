"""The manifest beside rendered images: a line for each, with all that makes it again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stylekit.image_files import ImageFile, read_note
from stylekit.rendering.request import Item
from stylekit.run import environment, now, write_atomically

__all__ = ["Manifest"]

FILE = "manifest.jsonl"


class Manifest:
    """A file of JSON lines in the folder of the images, one for each image there.

    Args:
        folder: Of the images.
        settings: The file in it that builds the method again.
        weights: Digest of all weights of the method.
    """

    def __init__(self, folder: Path, settings: str, weights: str) -> None:
        self.path, self.folder = folder / FILE, folder
        self._made_by = {
            "settings": settings,
            "weights": weights,
            **{name: environment()[name] for name in ("stylekit", "git", "torch", "diffusers")},
        }
        self._mend()

    def row(self, item: Item, name: str) -> dict[str, Any]:
        """Say what an image was made from, and how."""
        return {
            "file": name,
            "prompt": item.prompt,
            "seed": item.seed,
            "references": [_described(image) for image in item.reference.images],
            "content": _described(item.content) if item.content else None,
            **self._made_by,
            "date": now(),
        }

    def add(self, row: dict[str, Any]) -> None:
        """Append a line, of an image that has been written."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def _mend(self) -> None:
        """Drop lines of images that are gone and add those of images whose line was not written any more."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else []
        notes = [note for file in sorted(self.folder.glob("*.png")) if (note := read_note(file))]
        kept: dict[str, str] = {}
        for line in [*lines, *notes]:
            try:
                name = json.loads(line)["file"]
            except (ValueError, KeyError, TypeError):  # broken off, or of other software
                continue
            if (self.folder / name).is_file():
                kept.setdefault(name, line)
        write_atomically(self.path, "".join(f"{line}\n" for line in kept.values()))


def _described(image: ImageFile) -> dict[str, str]:
    return {"path": str(image.path), "sha256": image.digest}
