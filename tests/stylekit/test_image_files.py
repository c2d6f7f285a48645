from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stylekit.errors import DataError, MissingError
from stylekit.image_files import (
    ImageFile,
    find_images,
    open_image,
    read_image,
    read_labels,
    read_note,
    save_png,
)
from stylekit.pixels import Rejection


def test_png_holds_the_rounded_pixels(tmp_path: Path) -> None:
    save_png(torch.tensor([0.0, 0.5, 2.0])[:, None, None].expand(3, 2, 2), tmp_path / "new" / "a.png")
    assert np.asarray(Image.open(tmp_path / "new" / "a.png"))[0, 0].tolist() == [0, 128, 255]
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.png"]


def test_a_png_comes_back_with_its_note(tmp_path: Path) -> None:
    image = torch.randint(0, 256, (3, 8, 9)) / 255
    save_png(image, tmp_path / "a.png", note="drawn by Änne")
    assert torch.equal(read_image(tmp_path / "a.png"), image)
    assert read_note(tmp_path / "a.png") == "drawn by Änne"
    save_png(image, tmp_path / "b.png")
    assert read_note(tmp_path / "b.png") is None


def test_a_film_is_an_animated_png(tmp_path: Path) -> None:
    film = torch.tensor([0.0, 0.4, 1.0])[:, None, None, None].expand(3, 3, 8, 8)
    save_png(film, tmp_path / "film.png", note="moves")
    with Image.open(tmp_path / "film.png") as opened:
        assert opened.n_frames == 3
        shown = []
        for frame in range(3):
            opened.seek(frame)
            shown.append(opened.convert("RGB").getpixel((4, 4))[0])
    assert shown == [0, 102, 255]
    assert read_note(tmp_path / "film.png") == "moves"


def test_images_are_found_in_folders_by_patterns_and_by_name(tmp_path: Path) -> None:
    for name in ("b.png", "a.JPG", "notes.txt", "below/c.webp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_images(tmp_path) == [tmp_path / name for name in ("a.JPG", "b.png", "below/c.webp")]
    assert find_images(f"{tmp_path}/*.png") == [tmp_path / "b.png"]
    assert find_images(str(tmp_path / "notes.txt")) == [tmp_path / "notes.txt"]  # it was named
    for missing in (tmp_path / "no.png", f"{tmp_path}/*.gif"):
        refused = find_images(missing)
        assert isinstance(refused, Rejection)
        assert refused == Rejection(str(missing), "there is no such image")


def test_a_file_is_opened_to_see_whether_it_can_be_used(tmp_path: Path) -> None:
    save_png(torch.zeros(3, 8, 8), tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"no")
    good = open_image(tmp_path / "good.png")
    assert isinstance(good, ImageFile)
    assert isinstance(open_image(tmp_path / "bad.png"), Rejection)
    save_png(torch.ones(3, 8, 8), tmp_path / "good.png")
    changed = open_image(tmp_path / "good.png")
    assert isinstance(changed, ImageFile)
    assert changed.digest != good.digest
    assert open_image(tmp_path / "none.png") == Rejection(
        str(tmp_path / "none.png"), "No such file or directory"
    )


def test_colours_are_labels_in_the_order_in_which_they_appear(tmp_path: Path) -> None:
    colours = np.array([[[0, 0, 0], [255, 0, 0], [0, 0, 9]], [[0, 0, 9], [0, 0, 0], [255, 0, 0]]], np.uint8)
    Image.fromarray(colours.repeat(8, 0).repeat(8, 1)).save(tmp_path / "labels.png")
    labels = read_labels(tmp_path / "labels.png")
    assert labels.shape == (16, 24)
    assert labels[::8, ::8].tolist() == [[0, 1, 2], [2, 0, 1]]


def test_a_picture_that_is_no_labels_says_why(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "black.png")
    with pytest.raises(DataError, match="black all over"):
        read_labels(tmp_path / "black.png")
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photograph.png")
    with pytest.raises(DataError, match=r"256 colours.*without soft edges"):
        read_labels(tmp_path / "photograph.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"broken\.png is no picture of labels"):
        read_labels(tmp_path / "broken.png")
    with pytest.raises(MissingError, match=r"absent\.png"):
        read_labels(tmp_path / "absent.png")
