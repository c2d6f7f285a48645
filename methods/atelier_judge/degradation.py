"""Make drawings look a little as generated images do: blurred, noisy, moved by a pixel."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["degrade"]

_BLUR = (0.25, 0.5, 0.25)


def degrade(images: Float[Tensor, "n 3 h w"], share: float, max_noise: float) -> Float[Tensor, "n 3 h w"]:
    """Blur and disturb a share of the images, and move all by at most one pixel, the border repeated.

    Never mirrored: the light of a style falls from one side.

    Args:
        images: In [0, 1].
        share: How many of the images are blurred, and how many disturbed.
        max_noise: Greatest standard deviation of the noise.
    """
    n, device = len(images), images.device
    shift_y, shift_x = (int(torch.randint(-1, 2, ())) for _ in range(2))
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    height, width = images.shape[-2:]
    moved = padded[:, :, 1 + shift_y : 1 + shift_y + height, 1 + shift_x : 1 + shift_x + width]
    amount = torch.rand(n, 1, 1, 1, device=device) * (torch.rand(n, 1, 1, 1, device=device) < share)
    blurred = moved + amount * (_blur(moved) - moved)
    noise = torch.rand(n, 1, 1, 1, device=device) * (torch.rand(n, 1, 1, 1, device=device) < share)
    return (blurred + max_noise * noise * torch.randn_like(blurred)).clamp(0.0, 1.0)


def _blur(images: Tensor) -> Tensor:
    """Average over neighbours by binomial weights, first along rows, then along columns."""
    for dim in (2, 3):
        pad = (1, 1, 0, 0) if dim == 3 else (0, 0, 1, 1)
        padded = F.pad(images, pad, mode="replicate")
        size = images.shape[dim]
        images = torch.stack([weight * padded.narrow(dim, at, size) for at, weight in enumerate(_BLUR)]).sum(
            0
        )
    return images
