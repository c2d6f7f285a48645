"""Write the sheet of images that lies beside a result, with what each row shows.

python -m stylekit.reporting.sheet RESULT.json SHEET.jpg --board styled
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from stylekit.details import read_details
from stylekit.errors import ConfigError, DataError
from stylekit.run import replacing

__all__ = ["draw_sheet", "write_sheet"]

_KINDS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG"}
_GAP, _LINE, _LETTER = 4, 11, 10
_WIDTH = 128
"""Below this, images are enlarged by whole factors."""


def write_sheet(result: str | Path, board: str, out: Path | None = None) -> Path:
    """Write the images of a board as one picture, for a card.

    Args:
        result: The JSON of a result of a benchmark that renders.
        board: Whose images: content, styled, held_out.
        out: The file, .jpg or .png; sheet.jpg by default.
    """
    result, out = Path(result), out or Path("sheet.jpg")
    if (kind := _KINDS.get(out.suffix.lower())) is None:
        raise ConfigError(f"A sheet is written as one of {', '.join(_KINDS)}, not as {out.name}.")
    exhibits = read_details(result).exhibits
    boards = [name.split("/")[1] for name in exhibits if name.startswith("sheet/") and "pixels" in name]
    if board not in boards:
        raise DataError(f"{result} has no sheet of {board!r}; it has: {', '.join(boards) or 'none'}.")
    pixels = exhibits[f"sheet/{board}/pixels"]
    captions = exhibits.get(f"sheet/{board}/captions", np.array([""] * len(pixels))).tolist()
    with replacing(out) as temporary:
        draw_sheet(pixels, captions).save(temporary, kind, quality=88)
    print(f"Wrote {out}")
    return out


def draw_sheet(pixels: NDArray[np.uint8], captions: Sequence[str], columns: int = 4) -> Image.Image:
    """Lay out rows of images (n, k, 3, h, w), several side by side, each with its caption below."""
    rows = [_row(images) for images in pixels]
    letters = max(8, int(rows[0].width / (0.55 * _LETTER)))
    lines = [textwrap.wrap(caption, letters) for caption in captions]
    tall = rows[0].height + max(map(len, lines)) * _LINE + 2 * _GAP
    columns = min(columns, len(rows))
    across, down = rows[0].width + 3 * _GAP, -(-len(rows) // columns)
    page = Image.new("RGB", (columns * across, down * tall + _GAP), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_LETTER)
    for number, (row, text) in enumerate(zip(rows, lines, strict=True)):
        x, y = number % columns * across + _GAP, number // columns * tall + _GAP
        page.paste(row, (x, y))
        for place, line in enumerate(text):
            draw.text((x, y + row.height + place * _LINE), line, "black", font)
    return page


def _row(images: NDArray[np.uint8]) -> Image.Image:
    scale = max(1, _WIDTH // images.shape[-1])
    height, width = (scale * side for side in images.shape[-2:])
    row = Image.new("RGB", (len(images) * (width + _GAP) - _GAP, height), "white")
    for place, image in enumerate(images):
        enlarged = image.transpose(1, 2, 0).repeat(scale, 0).repeat(scale, 1)
        row.paste(Image.fromarray(enlarged), (place * (width + _GAP), 0))
    return row
