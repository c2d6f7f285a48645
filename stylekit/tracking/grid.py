"""Lay images out in one picture."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["image_grid"]

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
