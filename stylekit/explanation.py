"""Explanations as files beside an image: its pictures on one sheet, its facts and curves as JSON."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from stylekit.image_files import EXPLAINED, to_picture
from stylekit.method import Explanation
from stylekit.run import replacing, write_atomically

__all__ = ["draw_explanation", "tell_explanation", "write_explanation"]

_SIDE, _GAP, _LETTER, _LINE = 256, 6, 13, 16
"""Below this side, pictures are enlarged by whole factors."""


def write_explanation(explanation: Explanation, path: Path) -> list[Path]:
    """Write what an explanation holds beside the image that is to be at `path`, and name the files."""
    files = [path.with_name(f"{path.stem}{EXPLAINED}.json")]
    write_atomically(files[0], tell_explanation(explanation) + "\n")
    if explanation.pictures:
        files.insert(0, files[0].with_suffix(".png"))
        with replacing(files[0]) as temporary:
            draw_explanation(explanation).save(temporary, format="PNG")
    return files


def tell_explanation(explanation: Explanation) -> str:
    """Write facts and curves as JSON."""
    curves = {name: [float(value) for value in values] for name, values in explanation.curves.items()}
    return json.dumps({"facts": dict(explanation.facts), "curves": curves}, ensure_ascii=False, indent=1)


def draw_explanation(explanation: Explanation) -> Image.Image:
    """Set the pictures side by side, each below its name; pixels of small ones stay sharp."""
    pictures = [_enlarged(to_picture(one)) for one in explanation.pictures.values()]
    letter_width = 0.55 * _LETTER
    captions = [
        textwrap.wrap(name, int(picture.width / letter_width))
        for name, picture in zip(explanation.pictures, pictures, strict=True)
    ]
    head = max(map(len, captions)) * _LINE + 2 * _GAP
    width = sum(picture.width + _GAP for picture in pictures) + _GAP
    page = Image.new("RGB", (width, head + max(picture.height for picture in pictures) + _GAP), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(_LETTER)
    x = _GAP
    for picture, lines in zip(pictures, captions, strict=True):
        for number, line in enumerate(lines):
            draw.text((x, _GAP + number * _LINE), line, "black", font)
        page.paste(picture, (x, head))
        x += picture.width + _GAP
    return page


def _enlarged(picture: Image.Image) -> Image.Image:
    factor = max(1, _SIDE // max(picture.size))
    return picture.resize((factor * picture.width, factor * picture.height), Image.Resampling.NEAREST)
