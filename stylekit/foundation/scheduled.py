"""Generators whose denoiser learns at the steps of a noise schedule."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from stylekit.diffusion import Levels, draw_steps, levels_of_ratios, scheduled_levels
from stylekit.foundation.generator import Generator

__all__ = ["ScheduledGenerator"]


class ScheduledGenerator(Generator):
    """A generator whose scheduler says how noise is added, and what is predicted of it."""

    @property
    def num_train_steps(self) -> int:
        """Steps of noise that it was trained at."""
        return int(self.pipeline.scheduler.config.num_train_timesteps)

    def draw_levels(self, clean: Float[Tensor, "n ..."]) -> Levels:
        """Draw a step for each image."""
        scheduler = self.pipeline.scheduler
        return scheduled_levels(scheduler, draw_steps(scheduler, len(clean), clean.device))

    def levels_of(self, ratios: Float[Tensor, " n"]) -> Levels:
        """Return the levels at which image and noise have these ratios, as near as its schedule comes."""
        return levels_of_ratios(self.pipeline.scheduler, ratios)
