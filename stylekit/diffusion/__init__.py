"""The mathematics of diffusion that generators and methods share."""

from stylekit.diffusion.flow_matching import bell_weights, draw_sigmas, interpolate, shifted, velocity
from stylekit.diffusion.noising import denoising_target, noise_at_random, noised

__all__ = [
    "bell_weights",
    "denoising_target",
    "draw_sigmas",
    "interpolate",
    "noise_at_random",
    "noised",
    "shifted",
    "velocity",
]
