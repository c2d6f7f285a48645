"""What keeps a reference from being copied: it is mirrored and cropped at random."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["augment"]


def augment(
    images: Float[Tensor, "n 3 h w"], flip_probability: float, crop_probability: float, min_crop_area: float
) -> Float[Tensor, "n 3 h w"]:
    """Mirror each image or not, and crop it to a random part of its shape or not, at its size again."""
    count, (height, width) = len(images), images.shape[-2:]
    flips = torch.rand(count) < flip_probability
    crops = torch.rand(count) < crop_probability
    areas = 1.0 - (1.0 - min_crop_area) * torch.rand(count)
    sides = torch.where(crops, areas.sqrt(), torch.ones(count))
    # Where the middle of the part lies, in [-1, 1], so that the part stays inside.
    x, y = ((1.0 - sides) * (2.0 * torch.rand(count) - 1.0) for _ in range(2))
    maps = torch.zeros(count, 2, 3)
    maps[:, 0, 0] = torch.where(flips, -sides, sides)
    maps[:, 1, 1] = sides
    maps[:, 0, 2], maps[:, 1, 2] = x, y
    grid = F.affine_grid(maps.to(images), [count, 3, height, width], align_corners=False)
    moved = F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=False)
    is_moved = (flips | crops).to(images.device)[:, None, None, None]
    return torch.where(is_moved, moved.clamp(0.0, 1.0), images)
