"""Contact sheets: a row for each style, its references first, a column for each prompt, content and seed."""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from stylekit.pixels import Rejection, decode
from stylekit.rendering.request import Item, Reference
from stylekit.run import replacing

__all__ = ["write_contact_sheets"]

_SIDE, _GAP, _LETTER, _LINE = 192, 6, 13, 16  # 192 is a multiple of 32, 48, 64 and 96
_ROWS, _COLUMNS = 16, 12
"""Of one sheet; what is more goes onto further ones."""


def write_contact_sheets(folder: Path, items: Mapping[Item, Path]) -> list[Path]:
    """Write as many sheets as the images need; images that were not made leave their place white.

    The same images have the same sheets, and those of another request beside them stay.
    """
    references = list(dict.fromkeys(item.reference for item in items))
    columns = list(dict.fromkeys((item.prompt, item.content, item.seed) for item in items))
    sheets = list[Path]()
    name = hashlib.sha256(" ".join(sorted(path.name for path in items.values())).encode()).hexdigest()[:8]
    for top in range(0, len(references), _ROWS):
        for left in range(0, len(columns), _COLUMNS):
            rows, across = references[top : top + _ROWS], columns[left : left + _COLUMNS]
            drawn = _draw(items, rows, [Item(rows[0], *column) for column in across])
            page = f"-{len(sheets) + 1:02d}" if len(references) > _ROWS or len(columns) > _COLUMNS else ""
            sheets.append(folder / f"sheet-{name}{page}.jpg")
            with replacing(sheets[-1]) as temporary:
                drawn.save(temporary, "JPEG", quality=90)
    return sheets


def _draw(items: Mapping[Item, Path], rows: Sequence[Reference], columns: Sequence[Item]) -> Image.Image:
    has_references = any(row.images for row in rows)
    is_content = any(column.content for column in columns)
    captions = [_caption(column, columns) for column in columns]
    head = max(map(len, captions)) * _LINE + (_SIDE + _GAP if is_content else 0) + _GAP
    left, step = (_SIDE + 3 * _GAP if has_references else _GAP), _SIDE + _GAP
    page = Image.new("RGB", (left + len(columns) * step, head + len(rows) * step), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_LETTER)
    for place, (column, lines) in enumerate(zip(columns, captions, strict=True)):
        x = left + place * step
        for number, line in enumerate(lines):
            draw.text((x, _GAP + number * _LINE), line, "black", font)
        if column.content:
            _paste(page, column.content.path, x, head - step, _SIDE)
    for number, row in enumerate(rows):
        y = head + number * step
        _paste_references(page, row, y)
        for place, column in enumerate(columns):
            path = items.get(Item(row, column.prompt, column.content, column.seed))
            if path is not None and path.is_file():
                _paste(page, path, left + place * step, y, _SIDE)
    return page


def _caption(column: Item, columns: Sequence[Item]) -> list[str]:
    seeds = {one.seed for one in columns}
    lines = textwrap.wrap(column.prompt, int(_SIDE / (0.52 * _LETTER)))
    return [*lines, f"seed {column.seed}"] if len(seeds) > 1 else lines


def _paste_references(page: Image.Image, row: Reference, y: int) -> None:
    """Put one reference as large as an image, or up to four into the same place."""
    shown = row.images[:4]
    side = _SIDE if len(shown) < 2 else (_SIDE - _GAP) // 2
    for number, image in enumerate(shown):
        across, down = number % 2 * (side + _GAP), number // 2 * (side + _GAP)
        _paste(page, image.path, _GAP + across, y + down, side)


def _paste(page: Image.Image, path: Path, x: int, y: int, side: int) -> None:
    """Put a file into a square, its shape kept; pixels of a small one stay sharp."""
    image = _still(path)
    scale = side / max(image.size)
    if scale >= 2:
        scale = int(scale)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    resample = Image.Resampling.NEAREST if scale >= 2 else Image.Resampling.LANCZOS
    image = image.resize(size, resample)
    page.paste(image, (x, y))


def _still(path: Path) -> Image.Image:
    """Return an image as methods see it, or the middle frame of a film."""
    with Image.open(path) as opened:
        num_frames = getattr(opened, "n_frames", 1)
        if path.suffix == ".png" and num_frames > 1:
            opened.seek(num_frames // 2)
            return opened.convert("RGB")
    pixels = decode(path.read_bytes(), str(path))
    assert not isinstance(pixels, Rejection), "it was decoded before"
    return Image.fromarray(pixels)
