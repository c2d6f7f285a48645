"""Statistics of feature maps."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["channel_statistics"]


def channel_statistics(features: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 2*c"]:
    """Return mean and standard deviation (of the population) of each channel over places."""
    flat = features.flatten(2)
    return torch.cat([flat.mean(-1), flat.std(-1, correction=0)], dim=-1)
