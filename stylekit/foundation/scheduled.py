"""Generators whose denoiser learns at the steps of a noise schedule."""

from __future__ import annotations

from abc import abstractmethod

from jaxtyping import Float, Int
from torch import Tensor

from stylekit.diffusion import noise_at_random
from stylekit.foundation.generator import Condition, Generator

__all__ = ["ScheduledGenerator"]


class ScheduledGenerator(Generator):
    """A generator whose scheduler says how noise is added, and what is predicted of it."""

    @property
    def num_train_steps(self) -> int:
        """Steps of noise that it was trained at."""
        return int(self.pipeline.scheduler.config.num_train_timesteps)

    @abstractmethod
    def predict(
        self, noisy: Float[Tensor, "n ..."], steps: Int[Tensor, " n"], condition: Condition
    ) -> Float[Tensor, "n ..."]:
        """Return what the network predicts at what has these steps of noise."""

    def _predict_at_random(
        self, clean: Float[Tensor, "n ..."], noise: Float[Tensor, "n ..."], condition: Condition
    ) -> tuple[Float[Tensor, "n ..."], Float[Tensor, "n ..."]]:
        steps, noisy, target = noise_at_random(self.pipeline.scheduler, clean, noise)
        return self.predict(noisy, steps, condition), target
