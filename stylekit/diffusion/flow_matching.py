"""Noise levels of rectified flow, and what they weigh (arXiv 2209.03003; arXiv 2403.03206, section 2)."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.diffusion.levels import draw_evenly

__all__ = ["bell_weights", "draw_sigmas", "shifted"]


def draw_sigmas(count: int, shift: float, device: torch.device | str = "cpu") -> Float[Tensor, " n"]:
    """Draw noise levels whose logit is standard normal, shifted as the schedule of sampling is.

    The levels of a batch are stratified: each comes from its own share of the distribution, which lowers the
    variance of the loss.
    """
    sigmas = torch.sigmoid(torch.special.ndtri(draw_evenly(count).clamp(1e-6, 1.0 - 1e-6)))
    return shifted(sigmas, shift).to(device)


def shifted(sigmas: Float[Tensor, " n"], shift: float) -> Float[Tensor, " n"]:
    """Move noise levels: sigma' = shift sigma / (1 + (shift - 1) sigma), arXiv 2403.03206, equation 23."""
    return shift * sigmas / (1.0 + (shift - 1.0) * sigmas)


def bell_weights(sigmas: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Return weights of a grid of noise levels: a bell about the middle, 0 at the least, 1 on average."""
    bell = torch.exp(-2.0 * (sigmas - 0.5).square())
    above = bell - bell.min()
    return above / above.mean()
