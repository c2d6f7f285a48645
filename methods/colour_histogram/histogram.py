"""Colour histograms as unit vectors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["colour_histogram"]


def colour_histogram(images: Float[Tensor, "n 3 h w"], bins_per_channel: int = 6) -> Float[Tensor, "n bins"]:
    """Count the pixels of each RGB cell and take square roots of the shares.

    The shares of an image sum to 1, so their square roots are a unit vector, and the cosine of two such
    vectors is the Bhattacharyya coefficient of the histograms. Red is the slowest index, blue the fastest.
    """
    levels = (images * bins_per_channel).long().clamp(0, bins_per_channel - 1)
    cells = (levels[:, 0] * bins_per_channel + levels[:, 1]) * bins_per_channel + levels[:, 2]
    cells = cells.flatten(1)  # (n, h * w)
    counts = images.new_zeros(len(images), bins_per_channel**3)
    counts.scatter_add_(1, cells, torch.ones_like(cells, dtype=counts.dtype))
    return (counts / cells.shape[1]).sqrt()
