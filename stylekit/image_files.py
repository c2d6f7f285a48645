"""Image files: found in folders, read as tensors, written so that a reader never sees half of one."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from glob import glob
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from stylekit.errors import DataError, MissingError
from stylekit.pixels import Rejection, decode
from stylekit.run import replacing

__all__ = [
    "EXPLAINED",
    "ImageFile",
    "find_images",
    "open_image",
    "read_image",
    "read_labels",
    "read_note",
    "save_png",
    "to_picture",
]

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
EXPLAINED = ".explained"
"""Ends the stem of what lies beside an image and tells how it came about."""
_FRAME_MS = 125
_MOST_LABELS = 64
_NOTE = "stylekit"


class ImageFile(NamedTuple):
    """A file that was decoded once and found good."""

    path: Path
    digest: str
    """Of its bytes."""


def find_images(entry: str | Path, without: Path | None = None) -> list[Path] | Rejection:
    """Return the image files of a folder and those below it, of a pattern (pictures/*.png), or a file.

    Pictures that explain an image are no images: they count where they are named singly. Nor is what lies in
    the folder `without`, where that is below the folder which is searched.
    """
    path = Path(entry).expanduser()
    left_out = (
        without.resolve() if without is not None and path.resolve() in without.resolve().parents else None
    )
    if not str(entry).strip():
        return Rejection(repr(str(entry)), "it names nothing")
    if path.is_file():
        return [path]
    inside: Iterable[Path] = path.rglob("*") if path.is_dir() else map(Path, glob(str(path), recursive=True))
    found = sorted(
        file
        for file in inside
        if file.suffix.lower() in SUFFIXES
        and not file.stem.endswith(EXPLAINED)
        and file.is_file()
        and (left_out is None or left_out not in file.resolve().parents)
    )
    if found:
        return found
    known = f"known types: {', '.join(sorted(SUFFIXES))}"
    return Rejection(str(entry), f"no images in it; {known}" if path.is_dir() else "there is no such image")


def open_image(path: Path) -> ImageFile | Rejection:
    """Decode a file to see whether it can be, and forget the pixels."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Rejection(str(path), error.strerror or str(error))
    pixels = decode(data, str(path))
    return pixels if isinstance(pixels, Rejection) else ImageFile(path, hashlib.sha256(data).hexdigest())


def read_image(path: Path) -> Float[Tensor, "3 h w"] | Rejection:
    """Read a file as RGB in [0, 1]."""
    pixels = decode(path.read_bytes(), str(path))
    if isinstance(pixels, Rejection):
        return pixels
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255.0


def read_labels(path: str | Path) -> Int[Tensor, "h w"]:
    """Read a picture whose colours are labels: 1, 2, … as they appear, row by row; 0 where it is black."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise MissingError(f"There is no picture of labels {path}.")
    pixels = decode(file.read_bytes(), str(path))
    if isinstance(pixels, Rejection):
        raise DataError(f"{path} is no picture of labels: {pixels.reason}.")
    colours, labels = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    if len(colours) > _MOST_LABELS:
        raise DataError(
            f"{path} has {len(colours)} colours, and each is a label: paint every region in one colour, "
            "without soft edges, and keep it as PNG."
        )
    if not pixels.any():
        raise DataError(f"{path} is black all over, so that it has no labels: paint regions in colours.")
    order = [number for number in dict.fromkeys(labels.ravel().tolist()) if colours[number].any()]
    renumbered = np.zeros(len(colours), dtype=np.int64)
    renumbered[order] = np.arange(1, len(order) + 1)
    return torch.from_numpy(renumbered[labels.reshape(pixels.shape[:2])])


def save_png(
    image: Float[Tensor, "3 h w"] | Float[Tensor, "t 3 h w"], path: Path, note: str | None = None
) -> None:
    """Write an image in [0, 1], or a film as an animated PNG, with a note inside that `read_note` returns."""
    first, *rest = [to_picture(frame) for frame in (image if image.ndim == 4 else image[None])]
    info = PngInfo()
    if note is not None:
        info.add_itxt(_NOTE, note)
    film = {"save_all": True, "append_images": rest, "duration": _FRAME_MS, "loop": 0} if rest else {}
    with replacing(path) as temporary:
        first.save(temporary, format="PNG", pnginfo=info, **film)


def read_note(path: Path) -> str | None:
    """Return the note in a PNG; None if there is none, or no whole PNG."""
    try:
        with Image.open(path) as image:
            note = image.info.get(_NOTE)
    except (OSError, SyntaxError, ValueError):
        return None
    return None if note is None else str(note)


def to_picture(image: Float[Tensor, "3 h w"]) -> Image.Image:
    """Round an image in [0, 1] to 8 bits."""
    pixels = (image.detach().float().cpu().nan_to_num(0.0).clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
