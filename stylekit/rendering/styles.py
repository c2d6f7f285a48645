"""Styles, each extracted once and kept by the content of its references."""

from __future__ import annotations

import hashlib
import logging
import zipfile
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.cache import cache_folder
from stylekit.image_files import ImageFile, read_image
from stylekit.method import StyleRenderer
from stylekit.pixels import Rejection, crop_to_square
from stylekit.rendering.request import Reference
from stylekit.run import replacing

__all__ = ["extract_style"]

log = logging.getLogger("stylekit")


def extract_style(method: StyleRenderer[Any], reference: Reference, settings: str) -> Any:
    """Take a style from its references, or read what these settings took from the same before."""
    if not reference.images:
        return method.extract(torch.zeros(0, 3, 64, 64, device=method.device))
    key = hashlib.sha256(f"{settings} {reference.digest}".encode()).hexdigest()[:24]
    path = cache_folder() / "styles" / f"{key}.pt"
    if path.is_file():
        if _is_whole(path):
            return torch.load(path, map_location=method.device, weights_only=True)
        log.warning("The kept style %s is broken and is extracted again.", path)
    style = method.extract(_stack(reference.images).to(method.device))
    with replacing(path) as temporary:
        torch.save(style, temporary)
    return style


def _is_whole(path: Path) -> bool:
    """Tell whether the archive that torch wrote has all its parts, each with its checksum."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return archive.testzip() is None


def _stack(files: tuple[ImageFile, ...]) -> Float[Tensor, "n 3 h w"]:
    """Read images; the middle squares of those that differ in size, as large as the smallest."""
    images = []
    for file in files:
        image = read_image(file.path)
        assert not isinstance(image, Rejection), "it was decoded before"
        images.append(image)
    if len({image.shape for image in images}) > 1:
        sides = [min(image.shape[1:]) for image in images]
        side = min(sides)
        log.warning(
            "References of one style differ in size: all are cut square and reduced to %d pixels, the side "
            "of %s.",
            side,
            files[sides.index(side)].path,
        )
        images = [_square(image, side) for image in images]
    return torch.stack(images)


def _square(image: Float[Tensor, "3 h w"], side: int) -> Float[Tensor, "3 s s"]:
    pixels = (image.permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
    return torch.tensor(crop_to_square(pixels, side)).permute(2, 0, 1).float() / 255.0
