"""Brush strokes and stitches: each pixel looks for the topmost stroke that covers it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from stylekit.atelier.texture import Dice, coordinates

__all__ = ["Strokes", "lay_strokes"]

_REACH = 2
"""Strokes are looked for in so many cells round the pixel's own, so none may be longer."""


class Strokes(NamedTuple):
    """The stroke seen at each pixel."""

    colour: Float[Tensor, "n c h w"]
    """The picture at the stroke's centre."""
    along: Float[Tensor, "n 1 h w"]
    """Position along the stroke, -1 to 1."""
    across: Float[Tensor, "n 1 h w"]
    """Position across the stroke, -1 to 1."""
    shade: Float[Tensor, "n 1 h w"]
    """A random number of the stroke."""
    covered: Float[Tensor, "n 1 h w"]
    """1 where there is a stroke."""


def lay_strokes(
    dice: Dice,
    picture: Float[Tensor, "n c h w"],
    angle: Float[Tensor, "n 1 h w"],
    count: int,
    length: float,
    width: float,
    jitter: float = 0.9,
    turn: float = 0.25,
) -> Strokes:
    """Lay `count` x `count` strokes in random order.

    Args:
        dice: Random numbers.
        picture: What the strokes take their colour from.
        angle: Direction of the strokes.
        count: Strokes along each side of the image.
        length: Half the length in cells, at most 2.
        width: Half the width in cells.
        jitter: How far strokes stray from a square grid, in cells.
        turn: How far a stroke's angle strays, in radians.
    """
    n, _, size, _ = picture.shape
    side = count + 2 * _REACH
    random = dice.field(4, side, side)
    grid = torch.arange(side) - _REACH + 0.5
    centre_x = grid.view(1, 1, side) + (random[:, 0] - 0.5) * jitter
    centre_y = grid.view(1, side, 1) + (random[:, 1] - 0.5) * jitter
    points = torch.stack([centre_x, centre_y], -1) / count * 2 - 1
    sampled = functional.grid_sample(
        torch.cat([picture, angle], 1), points, mode="nearest", padding_mode="border", align_corners=False
    )
    colours, angles = sampled[:, :-1], sampled[:, -1] + (random[:, 3] - 0.5) * 2 * turn
    lattice = torch.stack([centre_x, centre_y, angles.cos(), angles.sin(), random[:, 2]], 1)
    best, along, across, slot = _topmost(lattice, size, count, length, width)
    cell = (torch.arange(size) * count).div(size, rounding_mode="floor") + _REACH
    row = cell.view(1, 1, size, 1) + slot.div(2 * _REACH + 1, rounding_mode="floor") - _REACH
    column = cell.view(1, 1, 1, size) + slot % (2 * _REACH + 1) - _REACH
    index = (row * side + column).view(n, 1, -1)
    colour = colours.flatten(2).gather(2, index.expand(-1, colours.shape[1], -1)).view_as(picture)
    # the topmost strokes have high ranks, so their digits further down serve as the random number
    return Strokes(colour, along, across, best.clamp(min=0) * 97 % 1, (best >= 0).float())


def _topmost(lattice: Tensor, size: int, count: int, length: float, width: float) -> tuple[Tensor, ...]:
    x, y = (axis * count for axis in coordinates(size))
    cell = (torch.arange(size) * count).div(size, rounding_mode="floor") + _REACH
    best = torch.full((len(lattice), 1, size, size), -1.0)
    along, across = torch.zeros_like(best), torch.zeros_like(best)
    slot = torch.zeros(best.shape, dtype=torch.long)
    reach_across = min(_REACH, max(1, round(length + 0.2)))
    for down in range(-reach_across, reach_across + 1):
        line = lattice.index_select(2, cell + down)
        for right in range(-reach_across, reach_across + 1):
            here = line.index_select(3, cell + right)
            dx, dy = x - here[:, 0:1], y - here[:, 1:2]
            cosine, sine, rank = here[:, 2:3], here[:, 3:4], here[:, 4:5]
            u, v = (dx * cosine + dy * sine) / length, (dy * cosine - dx * sine) / width
            top = (u.abs() < 1) & (v.abs() < 1) & (rank > best)
            best = torch.where(top, rank, best)
            along, across = torch.where(top, u, along), torch.where(top, v, across)
            slot = torch.where(top, (down + _REACH) * (2 * _REACH + 1) + right + _REACH, slot)
    return best, along, across, slot
