"""Colours as CIE L*a*b*, in which distances are roughly as they look."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["to_lab"]

_WHITE = (0.95047, 1.0, 1.08883)  # D65
_TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)  # of linear sRGB


def to_lab(images: Float[Tensor, "*n 3 h w"]) -> Float[Tensor, "*n 3 h w"]:
    """Convert sRGB in [0, 1] to CIE L*a*b* (D65), L* from 0 to 100."""
    linear = torch.where(images <= 0.04045, images / 12.92, ((images.clamp_min(0) + 0.055) / 1.055) ** 2.4)
    matrix = torch.tensor(_TO_XYZ, dtype=images.dtype, device=images.device)
    white = torch.tensor(_WHITE, dtype=images.dtype, device=images.device)
    ratio = torch.einsum("ij,...jhw->...ihw", matrix / white[:, None], linear)
    root = torch.where(
        ratio > (6 / 29) ** 3, ratio.clamp_min(1e-9) ** (1 / 3), ratio * (29 / 6) ** 2 / 3 + 4 / 29
    )
    x, y, z = root.unbind(-3)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -3)
