"""The mathematics of diffusion that generators and methods share."""

from stylekit.diffusion.attention import Attend, Attended, Recorder, attending, self_attention_layers
from stylekit.diffusion.ddim import invert, leading_steps, move, noise_of, sample
from stylekit.diffusion.descent import content_energy, descend
from stylekit.diffusion.flow_matching import bell_weights, draw_sigmas, shifted
from stylekit.diffusion.levels import Levels, draw_steps, flow_levels, levels_of_ratios, scheduled_levels

__all__ = [
    "Attend",
    "Attended",
    "Levels",
    "Recorder",
    "attending",
    "bell_weights",
    "content_energy",
    "descend",
    "draw_sigmas",
    "draw_steps",
    "flow_levels",
    "invert",
    "leading_steps",
    "levels_of_ratios",
    "move",
    "noise_of",
    "sample",
    "scheduled_levels",
    "self_attention_layers",
    "shifted",
]
