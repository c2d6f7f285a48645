"""The steps of noise at which a latent is optimised."""

from __future__ import annotations

from typing import Literal

import torch
from diffusers import DDIMScheduler, LCMScheduler

from stylekit.diffusion import leading_steps
from stylekit.errors import ConfigError

__all__ = ["Schedule", "optimisation_steps"]

Schedule = Literal["leading", "lcm", "trailing"]


def optimisation_steps(
    schedule: Schedule, num_steps: int, num_train_steps: int, share: float = 1.0
) -> list[int]:
    """Return steps from the most noise to the least, as diffusers spaces them.

    Args:
        schedule: "leading" of DDIM in SD 1.5 (895, 889, …, 1 for 150); "lcm" of LCM; "trailing" from the very
            end, as Hyper-SD is sampled.
        num_steps: How many.
        num_train_steps: Of the noise schedule.
        share: Of that schedule which is walked, from its beginning of least noise.
    """
    if schedule == "leading":
        steps = torch.tensor(leading_steps(num_steps, num_train_steps)[::-1])
    else:
        kind = LCMScheduler if schedule == "lcm" else DDIMScheduler
        scheduler = kind(num_train_timesteps=num_train_steps, timestep_spacing="trailing")
        try:
            scheduler.set_timesteps(num_steps)
        except ValueError as error:
            raise ConfigError(
                f"method.num_steps={num_steps} does not fit schedule={schedule}: {error}"
            ) from error
        steps = torch.as_tensor(scheduler.timesteps).clamp(1, num_train_steps - 1)
    shared: list[int] = (1 + (steps - 1) * share).round().long().tolist()
    return shared
