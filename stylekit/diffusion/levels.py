"""Levels of noise: what is seen there, and what a denoiser answers, as shares of an image and of noise.

Rectified flow (arXiv 2403.03206, section 2); a schedule of a diffusers scheduler (arXiv 2006.11239), whose
denoiser answers the noise, the image, or both in one (arXiv 2202.00512).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int, Real
from torch import Tensor

from stylekit.errors import ConfigError

__all__ = ["Levels", "draw_evenly", "draw_steps", "flow_levels", "levels_of_ratios", "scheduled_levels"]


class Levels(NamedTuple):
    """A share for each image: seen are signal x + rest epsilon, answered of_clean x + of_noise epsilon."""

    times: Real[Tensor, " n"]
    """What the denoiser is told: the noise level of a flow, the step of a schedule."""
    signal: Float[Tensor, " n"]
    rest: Float[Tensor, " n"]
    of_clean: Float[Tensor, " n"]
    of_noise: Float[Tensor, " n"]

    def seen(self, clean: Float[Tensor, "n ..."], noise: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Return the noised images."""
        return _along(self.signal, clean) * clean + _along(self.rest, noise) * noise

    def answer(self, clean: Float[Tensor, "n ..."], noise: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Return what a denoiser learns to say of them."""
        return _along(self.of_clean, clean) * clean + _along(self.of_noise, noise) * noise

    def clean_in(
        self, seen: Float[Tensor, "n ..."], answer: Float[Tensor, "n ..."]
    ) -> Float[Tensor, "n ..."]:
        """Return the images that an answer stands for; they must have left a trace in what is seen."""
        determinant = self._determinant
        return (
            _along(self.of_noise / determinant, seen) * seen - _along(self.rest / determinant, seen) * answer
        )

    def noise_in(
        self, seen: Float[Tensor, "n ..."], answer: Float[Tensor, "n ..."]
    ) -> Float[Tensor, "n ..."]:
        """Return the noise that an answer stands for; the image must have left a trace in what is seen."""
        determinant = self._determinant
        return (
            _along(self.signal / determinant, seen) * answer
            - _along(self.of_clean / determinant, seen) * seen
        )

    def answer_for(
        self, seen: Float[Tensor, "n ..."], clean: Float[Tensor, "n ..."]
    ) -> Float[Tensor, "n ..."]:
        """Return the answer that stands for these images; some noise must be seen."""
        noise = (seen - _along(self.signal, seen) * clean) / _along(self.rest, seen)
        return self.answer(clean, noise)

    def without(self, seen: Float[Tensor, "n ..."], noise: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Return the images that were noised so."""
        return (seen - _along(self.rest, seen) * noise) / _along(self.signal, seen)

    @property
    def ratios(self) -> Float[Tensor, " n"]:
        """Of image to noise in what is seen."""
        return self.signal / self.rest

    @property
    def _determinant(self) -> Float[Tensor, " n"]:
        return self.signal * self.of_noise - self.rest * self.of_clean


def flow_levels(sigmas: Float[Tensor, " n"]) -> Levels:
    """Return levels of a straight path; what is learned is d x_sigma / d sigma = epsilon - x."""
    one = torch.ones_like(sigmas)
    return Levels(sigmas, 1.0 - sigmas, sigmas, -one, one)


def scheduled_levels(scheduler: Any, steps: Int[Tensor, " n"]) -> Levels:
    """Return levels at steps of a diffusers scheduler; its own type says what is learned."""
    return _levels(scheduler, steps, scheduler.alphas_cumprod.to(steps.device)[steps])


def levels_of_ratios(scheduler: Any, ratios: Float[Tensor, " n"]) -> Levels:
    """Return levels, between steps where need be, with these ratios of image to noise.

    Where a schedule does not reach a ratio they are its end: of one that ends in nothing but noise, the step
    before.
    """
    kept = scheduler.alphas_cumprod.to(ratios.device)
    kept = kept[kept > 0]
    places = 0.5 * torch.logit(kept)  # the logarithms of its ratios, from image to noise
    wanted = ratios.log().clamp(places[-1], places[0])
    above = torch.searchsorted(-places, -wanted).clamp(1, len(places) - 1)
    before, after = places[above - 1], places[above]
    steps = above - (wanted - after) / (before - after)
    return _levels(scheduler, steps, torch.sigmoid(2.0 * wanted))


def draw_evenly(count: int) -> Float[Tensor, " n"]:
    """Draw numbers in [0, 1], in no order, each from its own share of them."""
    return (torch.randperm(count) + torch.rand(count)) / count


def draw_steps(scheduler: Any, count: int, device: torch.device | str = "cpu") -> Int[Tensor, " n"]:
    """Draw steps, each from its own share of the schedule, which lowers the variance of the loss."""
    num_steps = int(scheduler.config.num_train_timesteps)
    return (draw_evenly(count) * num_steps).long().clamp_max(num_steps - 1).to(device)


def _levels(scheduler: Any, times: Tensor, kept: Float[Tensor, " n"]) -> Levels:
    signal, rest = kept.sqrt(), (1.0 - kept).sqrt()
    zero, one = torch.zeros_like(signal), torch.ones_like(signal)
    kinds = {"epsilon": (zero, one), "sample": (one, zero), "v_prediction": (-rest, signal)}
    kind = scheduler.config.prediction_type
    if kind not in kinds:
        raise ConfigError(f"The scheduler predicts {kind!r}; known are epsilon, sample and v_prediction.")
    return Levels(times, signal, rest, *kinds[kind])


def _along(shares: Float[Tensor, " n"], images: Float[Tensor, "n ..."]) -> Tensor:
    return shares.reshape(-1, *[1] * (images.ndim - 1)).to(images.dtype)
