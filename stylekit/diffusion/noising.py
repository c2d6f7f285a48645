"""Denoising diffusion with the schedule of a diffusers scheduler (arXiv 2006.11239; arXiv 2202.00512)."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from stylekit.errors import ConfigError

__all__ = ["denoising_target", "noise_at_random", "noised", "shares"]


def noise_at_random(
    scheduler: Any, clean: Float[Tensor, "n ..."], noise: Float[Tensor, "n ..."]
) -> tuple[Int[Tensor, " n"], Float[Tensor, "n ..."], Float[Tensor, "n ..."]]:
    """Draw a step for each image; return the steps, the noised images, and what a denoiser learns to predict.

    The steps are stratified: each comes from its own share of the schedule, which lowers the variance of the
    loss.
    """
    count, num_steps = len(clean), int(scheduler.config.num_train_timesteps)
    places = (torch.randperm(count) + torch.rand(count)) / count
    steps = (places * num_steps).long().clamp_max(num_steps - 1).to(clean.device)
    return steps, noised(scheduler, clean, noise, steps), denoising_target(scheduler, clean, noise, steps)


def noised(
    scheduler: Any,
    clean: Float[Tensor, "n ..."],
    noise: Float[Tensor, "n ..."],
    steps: Int[Tensor, " n"],
) -> Float[Tensor, "n ..."]:
    """Return sqrt(alpha_bar) x + sqrt(1 - alpha_bar) epsilon."""
    signal, rest = shares(scheduler, clean, steps)
    return signal * clean + rest * noise


def denoising_target(
    scheduler: Any,
    clean: Float[Tensor, "n ..."],
    noise: Float[Tensor, "n ..."],
    steps: Int[Tensor, " n"],
) -> Float[Tensor, "n ..."]:
    """Return what a denoiser learns to predict at `steps`, by the scheduler's own type."""
    kind = scheduler.config.prediction_type
    if kind == "epsilon":
        return noise
    if kind == "sample":
        return clean
    if kind == "v_prediction":
        signal, rest = shares(scheduler, clean, steps)
        return signal * noise - rest * clean
    raise ConfigError(f"The scheduler predicts {kind!r}; known are epsilon, sample and v_prediction.")


def shares(
    scheduler: Any, latents: Float[Tensor, "n ..."], steps: Int[Tensor, " n"] | int
) -> tuple[Tensor, Tensor]:
    """Return sqrt(alpha_bar) and sqrt(1 - alpha_bar) at `steps`, to be multiplied with latents."""
    kept = scheduler.alphas_cumprod.to(latents.device)[steps].reshape(-1, *[1] * (latents.ndim - 1))
    return kept.sqrt(), (1.0 - kept).sqrt()
