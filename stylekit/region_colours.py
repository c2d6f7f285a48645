"""Colours by which regions of an image are told apart."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["paint_regions"]

_GOLDEN = 0.618034  # turns of hue between two regions: neighbours in number are far apart in colour


def paint_regions(regions: Int[Tensor, "n h w"]) -> Float[Tensor, "n 3 h w"]:
    """Give each number a colour of its own, the same in every image."""
    turns = regions.double() * _GOLDEN
    channels = [0.55 + 0.4 * torch.cos(2 * torch.pi * (turns - shift / 3)) for shift in range(3)]
    return torch.stack(channels, 1).float()
