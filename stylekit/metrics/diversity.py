"""How unlike one another images of the same description are."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["diversity"]


def diversity(features: Float[Tensor, "*n k d"]) -> Float[Tensor, "*n"]:
    """Return 1 - cosine, the mean over all pairs of the k rows."""
    count = features.shape[-2]
    if count < 2:
        raise ValueError("diversity is of two images or more")
    # Of unit rows, the square of the sum is k and twice the sum of all pairs' cosines.
    square = F.normalize(features.double(), dim=-1).sum(-2).square().sum(-1)
    return (1.0 - (square - count) / (count * (count - 1))).clamp_min(0.0)
