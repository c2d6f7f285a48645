"""The mathematics of diffusion that generators and methods share."""

from stylekit.diffusion.attention import Attend, Attended, Recorder, attending, self_attention_layers
from stylekit.diffusion.ddim import invert, leading_steps, move, noise_of, sample
from stylekit.diffusion.descent import content_energy, descend
from stylekit.diffusion.flow_matching import bell_weights, draw_sigmas, interpolate, shifted, velocity
from stylekit.diffusion.noising import denoising_target, noise_at_random, noised

__all__ = [
    "Attend",
    "Attended",
    "Recorder",
    "attending",
    "bell_weights",
    "content_energy",
    "denoising_target",
    "descend",
    "draw_sigmas",
    "interpolate",
    "invert",
    "leading_steps",
    "move",
    "noise_at_random",
    "noise_of",
    "noised",
    "sample",
    "self_attention_layers",
    "shifted",
    "velocity",
]
