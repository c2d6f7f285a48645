"""The mathematics of diffusion that generators and methods share."""

from stylekit.diffusion.flow_matching import draw_sigmas, interpolate, velocity
from stylekit.diffusion.noising import denoising_target, noise_at_random, noised

__all__ = ["denoising_target", "draw_sigmas", "interpolate", "noise_at_random", "noised", "velocity"]
