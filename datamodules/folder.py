"""A folder of image files with a metadata.jsonl that gives each its style and content prompt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from datamodules.source import (
    ImageIndex,
    StyleSource,
    advice_on_fractions,
    digest_files,
    index_prompts,
)
from stylekit.bounds import Fraction, bounded
from stylekit.errors import DataError
from stylekit.pixels import Pixels, Rejection, decode
from stylekit.split import Split

__all__ = ["FolderSource"]

_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif"}


class FolderSource(StyleSource):
    """Image files below `root`, one line of `root/metadata.jsonl` each: file_name, style, content.

    Args:
        root: The folder.
        val_fraction: Share of the styles, and of the contents, kept for validation.
        test_fraction: The same for testing.
        hold_out_contents: Use an image only if its style and its content are in the same split, so that
            held-out images show contents never trained on; costs about a third of the images.
    """

    @bounded
    def __init__(
        self,
        root: str,
        val_fraction: Fraction = 0.05,
        test_fraction: Fraction = 0.1,
        hold_out_contents: bool = True,
    ) -> None:
        self.root = Path(root).expanduser()
        self.val_fraction, self.test_fraction = val_fraction, test_fraction
        self.hold_out_contents = hold_out_contents
        self._rows: list[tuple[int, Path | None]] = []  # line number, file

    def open(self, image_size: int, cache_dir: Path, num_workers: int) -> ImageIndex:
        """Read metadata.jsonl and look for the files that it names."""
        metadata = self.root / "metadata.jsonl"
        if not metadata.is_file():
            raise DataError(
                f"There is no {metadata}. Write one line of JSON per image into it, with the keys file_name, "
                "style and content."
            )
        self._rows, rejections = [], []
        styles: list[str | None] = []
        contents: list[str | None] = []
        root = self.root.resolve()
        for number, line in enumerate(metadata.read_bytes().splitlines(), start=1):
            if not line.strip():
                continue
            found = _read_line(line, root)
            if isinstance(found, str):
                rejections.append(Rejection(f"metadata.jsonl line {number}", found))
            file, style, content = (None, None, None) if isinstance(found, str) else found
            self._rows.append((number, file))
            styles.append(style)
            contents.append(content)
        rejections += self._unlisted()
        return index_prompts(
            styles, contents, rejections, self.val_fraction, self.test_fraction, self.hold_out_contents
        )

    def load(self, rows: Sequence[int]) -> list[Pixels | Rejection]:
        """Decode the files."""
        return [self._load(row) for row in rows]

    def where(self, row: int) -> str:
        """Name the file, or the line that names none."""
        number, file = self._rows[row]
        return f"metadata.jsonl line {number}" if file is None else str(file.relative_to(self.root.resolve()))

    def advice(self, split: Split) -> str:
        """Name the settings to change when a split has too few usable images."""
        return advice_on_fractions(split)

    def digest(self) -> str:
        """Hash the metadata and the images."""
        files = {file for _, file in self._rows if file is not None}
        root = self.root.resolve()
        return digest_files(root, {root / "metadata.jsonl", *files})

    def _load(self, row: int) -> Pixels | Rejection:
        file = self._rows[row][1]
        assert file is not None, "rows without a file are not in the index"
        try:
            return decode(file.read_bytes(), self.where(row))
        except OSError as error:
            return Rejection(self.where(row), f"unreadable file ({error.strerror})")

    def _unlisted(self) -> list[Rejection]:
        root = self.root.resolve()
        listed = {file for _, file in self._rows}
        files = sorted(
            file for file in root.rglob("*") if file.suffix.lower() in _SUFFIXES and file not in listed
        )
        return [Rejection(str(file.relative_to(root)), "no line in metadata.jsonl") for file in files]


def _read_line(line: bytes, root: Path) -> tuple[Path, str, str] | str:
    """Return file, style and content, or what is wrong with the line."""
    try:
        values = json.loads(line)
    except ValueError:  # bad JSON or bad UTF-8
        return "line is not JSON"
    if not isinstance(values, dict):
        return "line is not a JSON object"
    for key in ("file_name", "style", "content"):
        if not isinstance(values.get(key), str) or not values[key].strip():
            return f"no {key}"
    try:
        file = (root / values["file_name"]).resolve()
        if not file.is_relative_to(root):
            return "file outside the folder"
        if not file.is_file():
            return "missing file"
    except (OSError, ValueError):  # a name too long or with a null byte
        return "missing file"
    return file, values["style"], values["content"]
