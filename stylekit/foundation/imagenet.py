"""Pixels as networks that were trained on ImageNet take them."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from stylekit.errors import ConfigError
from stylekit.resizing import resized

__all__ = ["check_side", "standardized"]

# What pixels are normalised with (facebookresearch/dinov2, dinov2/data/transforms.py).
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def standardized(images: Float[Tensor, "n 3 h w"], side: int) -> Float[Tensor, "n 3 s s"]:
    """Stretch images in [0, 1] to a square and normalise them; nothing is cut off."""
    mean, std = (images.new_tensor(values)[:, None, None] for values in (MEAN, STD))
    return (resized(images, side, side) - mean) / std


def check_side(side: int, patch: int) -> int:
    """Return the side of a square that patches fill, or say that they do not."""
    if side < patch or side % patch:
        raise ConfigError(f"image_size must be a multiple of the patch, {patch} px, not {side}.")
    return side
