"""Deterministic diffusion, forwards and backwards: DDIM and its inversion (arXiv 2010.02502, equation 12)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.diffusion.levels import Levels, scheduled_levels
from stylekit.errors import ConfigError

__all__ = ["invert", "leading_steps", "move", "noise_of", "sample"]

Predict = Callable[[Tensor, int], Tensor]
"""What a network predicts at latents of a step of noise."""


def leading_steps(num_steps: int, num_train_steps: int) -> list[int]:
    """Return the steps of noise from the least to the most, spaced as SD 1.5 is: 1, 67, …, 925 for 15."""
    if not 1 <= num_steps < num_train_steps:
        raise ConfigError(
            f"A schedule of {num_train_steps} steps is walked in 1 to {num_train_steps - 1}, not {num_steps}."
        )
    spacing = num_train_steps // num_steps
    return [min(index * spacing + 1, num_train_steps - 1) for index in range(num_steps)]


def noise_of(
    scheduler: Any, predicted: Float[Tensor, "n ..."], latents: Float[Tensor, "n ..."], step: int
) -> Float[Tensor, "n ..."]:
    """Return the noise in latents, from what the network predicts of them by the scheduler's own type."""
    return _at(scheduler, step, latents).noise_in(latents, predicted)


def move(
    scheduler: Any, latents: Float[Tensor, "n ..."], noise: Float[Tensor, "n ..."], start: int, end: int
) -> Float[Tensor, "n ..."]:
    """Carry latents from one step of noise to another, the noise in them as it is."""
    here, there = (_at(scheduler, step, latents) for step in (start, end))
    return there.seen(here.without(latents, noise), noise)


def invert(
    scheduler: Any, predict: Predict, clean: Float[Tensor, "n ..."], steps: list[int]
) -> Iterator[Float[Tensor, "n ..."]]:
    """Yield the latents at every step, from the least noise to the most.

    Each is reached with the noise that the network sees in the latents of the step before, looked at as if
    they were at its own step already, as StyleID and StyleGallery do; the first comes from step 0.
    """
    latents, spacing = clean, steps[1] - steps[0] if len(steps) > 1 else steps[0]
    for step in steps:
        noise = noise_of(scheduler, predict(latents, step), latents, step)
        latents = move(scheduler, latents, noise, max(0, step - spacing), step)
        yield latents


def sample(
    scheduler: Any, predict: Predict, latents: Float[Tensor, "n ..."], steps: list[int]
) -> Float[Tensor, "n ..."]:
    """Denoise latents through the steps, from the most noise to the least, and on to none."""
    for start, end in zip(steps, [*steps[1:], 0], strict=True):
        noise = noise_of(scheduler, predict(latents, start), latents, start)
        latents = move(scheduler, latents, noise, start, end)
    return latents


def _at(scheduler: Any, step: int, latents: Tensor) -> Levels:
    return scheduled_levels(scheduler, torch.tensor([step], device=latents.device))
