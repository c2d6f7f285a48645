"""Lay images out in one picture."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

__all__ = ["image_grid", "save_png"]

GAP = 2  # white pixels between two images


def image_grid(images: Float[Tensor, "n 3 h w"], columns: int | None = None) -> Float[Tensor, "3 H W"]:
    """Arrange images row by row on white, in a near-square grid unless `columns` says otherwise."""
    num_images, _, height, width = images.shape
    columns = min(columns or math.ceil(math.sqrt(num_images)), num_images)
    rows = math.ceil(num_images / columns)
    grid = torch.ones(3, rows * (height + GAP) - GAP, columns * (width + GAP) - GAP)
    for index, image in enumerate(images.detach().float().cpu()):
        top, left = index // columns * (height + GAP), index % columns * (width + GAP)
        grid[:, top : top + height, left : left + width] = image
    return grid


def save_png(image: Float[Tensor, "3 h w"], path: Path) -> None:
    """Write an image in [0, 1] as PNG; a reader never sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = (image.nan_to_num(0.0).clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
    temporary = path.with_name(f".{path.name}")
    Image.fromarray(pixels.numpy()).save(temporary, format="PNG")
    temporary.replace(path)
