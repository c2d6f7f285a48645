from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image

from stylekit.image_files import ImageFile, read_image, save_png
from stylekit.rendering.contact_sheet import write_contact_sheets
from stylekit.rendering.request import Item, Reference


def painted(folder: Path, name: str, colour: tuple[float, float, float], frames: int = 1) -> Path:
    image = torch.tensor(colour)[:, None, None].expand(3, 64, 64)
    film = image[None].repeat(frames, 1, 1, 1) * torch.linspace(0, 1, frames)[:, None, None, None]
    save_png(image if frames == 1 else film, folder / f"{name}.png")
    return folder / f"{name}.png"


def colours(sheet: Path) -> set[tuple[int, ...]]:
    """Return the saturated colours, rounded to what JPEG keeps."""
    with Image.open(sheet) as opened:
        pixels = opened.convert("RGB").getcolors(maxcolors=10**6)
    large = [colour for count, colour in pixels if count > 500]
    return {tuple(round(value / 127.5) for value in colour) for colour in large}


def test_a_row_is_a_style_and_a_column_a_prompt(tmp_path: Path) -> None:
    red = ImageFile(painted(tmp_path, "red", (1, 0, 0)), "r")
    green = ImageFile(painted(tmp_path, "green", (0, 1, 0)), "g")
    styles = [Reference("red", (red,)), Reference("both", (red, green))]
    blue, none = painted(tmp_path, "blue", (0, 0, 1)), tmp_path / "not made.png"
    items = {Item(style, text, None, 0): blue for style in styles for text in ("a cat", "a dog")}
    items[Item(styles[0], "a cat", None, 0)] = none
    (sheet,) = write_contact_sheets(tmp_path, items)
    with Image.open(sheet) as drawn:
        assert drawn.width > drawn.height
        assert drawn.height > 2 * 192
    assert colours(sheet) == {(2, 2, 2), (2, 0, 0), (0, 2, 0), (0, 0, 2)}
    assert [sheet] == write_contact_sheets(tmp_path, items)


def test_a_film_is_shown_by_its_middle_frame(tmp_path: Path) -> None:
    film = painted(tmp_path, "film", (1, 1, 0), frames=3)
    (sheet,) = write_contact_sheets(tmp_path, {Item(Reference("", ()), "a cat", None, 0): film})
    assert (1, 1, 0) in colours(sheet)


def test_what_does_not_fit_one_sheet_goes_onto_others(tmp_path: Path) -> None:
    image = painted(tmp_path, "blue", (0, 0, 1))
    items = {Item(Reference("", ()), f"prompt {number}", None, 0): image for number in range(30)}
    sheets = write_contact_sheets(tmp_path, items)
    assert len(sheets) == 3
    widths = [read_image(sheet).shape[2] for sheet in sheets]
    assert widths[0] == widths[1] > widths[2]
