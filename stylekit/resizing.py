"""Images at another size."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["resized"]


def resized(images: Float[Tensor, "n 3 h w"], height: int, width: int) -> Float[Tensor, "n 3 h2 w2"]:
    """Return images in [0, 1] at a size, stretched if its shape is another; as they are if it is theirs."""
    if tuple(images.shape[-2:]) == (height, width):
        return images
    return F.interpolate(images, (height, width), mode="bicubic", antialias=True).clamp(0.0, 1.0)
