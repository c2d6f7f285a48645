"""What an image ought to be read as, from its prompts and its maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from stylekit.atelier import Scene, Style

__all__ = ["Truth", "centre_density", "read_prompts"]

_SPREAD = 0.8
"""Standard deviation of the bump around the middle of a thing, in cells."""


class Truth(NamedTuple):
    """One row for each image."""

    counts: Int[Tensor, "n t"]
    """How many of each thing; 0 where it is not in the scene."""
    style: dict[str, Int[Tensor, " n"]]
    """For each field of the style the index of its word."""


def read_prompts(
    content_prompts: Sequence[str],
    style_prompts: Sequence[str],
    things: Sequence[str],
    words: Mapping[str, Sequence[str]],
) -> Truth:
    """Turn prompts into counts of things and indices of words."""
    column = {name: index for index, name in enumerate(things)}
    counts = torch.zeros(len(content_prompts), len(things), dtype=torch.long)
    for row, prompt in enumerate(content_prompts):
        for name, count in _objects(prompt):
            counts[row, column[name]] = count
    styles = [_style(prompt) for prompt in style_prompts]
    indices = {
        field: torch.tensor([known.index(getattr(style, field)) for style in styles])
        for field, known in words.items()
    }
    return Truth(counts, indices)


def centre_density(instances: Int[Tensor, "n g g"]) -> Float[Tensor, "n g g"]:
    """Spread a bump of sum one around the middle of each instance of a map; -1 in the map is none."""
    size = instances.shape[-1]
    axis = torch.arange(size, device=instances.device, dtype=torch.float32)
    density = torch.zeros(instances.shape, device=instances.device)
    for number in range(int(instances.max()) + 1):
        mask = (instances == number).float()
        mass = mask.sum((1, 2))
        # of an instance that is not there, the middle is 0/1, and its bump is multiplied by nothing
        x = (mask.sum(1) * axis).sum(-1) / mass.clamp_min(1.0)
        y = (mask.sum(2) * axis).sum(-1) / mass.clamp_min(1.0)
        row = (-0.5 * ((axis - x[:, None]) / _SPREAD).square()).exp()
        column = (-0.5 * ((axis - y[:, None]) / _SPREAD).square()).exp()
        bump = column[:, :, None] * row[:, None, :]
        density += bump / bump.sum((1, 2), keepdim=True) * (mass > 0)[:, None, None]
    return density


@lru_cache(maxsize=200_000)
def _objects(prompt: str) -> tuple[tuple[str, int], ...]:
    return tuple((item.name, item.count) for item in Scene.from_prompt(prompt).objects)


@lru_cache(maxsize=200_000)
def _style(prompt: str) -> Style:
    return Style.from_prompt(prompt)
