"""Brush strokes and stitches: each pixel looks for the topmost stroke that covers it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn import functional

from stylekit.atelier.texture import Dice, coordinates, pick

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
    place = [axis.expand(n, side, side) for axis in (centre_x, centre_y)]
    lattice = torch.stack([*place, angles.cos(), angles.sin(), random[:, 2]], 1)
    best, slot = _topmost(lattice, size, count, length, width)
    cell = (torch.arange(size) * count).div(size, rounding_mode="floor") + _REACH
    stroke = pick(torch.cat([lattice, colours], 1), slot, cell - _REACH, 2 * _REACH + 1)
    covered = best >= 0
    u, v = _place(stroke, count, length, width)
    # the topmost strokes have high ranks, so their digits further down serve as the random number
    return Strokes(stroke[:, 5:], u * covered, v * covered, best.clamp(min=0) * 97 % 1, covered.float())


def _place(lattice: Tensor, count: int, length: float, width: float) -> tuple[Tensor, Tensor]:
    """Return where each pixel lies along and across a stroke, in its half length and half width."""
    x, y = (axis * count for axis in coordinates(lattice.shape[-1]))
    dx, dy, cosine, sine = x - lattice[:, 0:1], y - lattice[:, 1:2], lattice[:, 2:3], lattice[:, 3:4]
    u = (dx * cosine).add_(dy * sine).div_(length)
    v = (dy * cosine).sub_(dx * sine).div_(width)
    return u, v


def _topmost(
    lattice: Tensor, size: int, count: int, length: float, width: float
) -> tuple[Float[Tensor, "n 1 h w"], UInt8[Tensor, "n 1 h w"]]:
    """Return the rank of each pixel's topmost stroke, -1 where there is none, and its place in the window."""
    cell = (torch.arange(size) * count).div(size, rounding_mode="floor") + _REACH
    best = torch.full((len(lattice), 1, size, size), -1.0)
    slot = torch.zeros(best.shape, dtype=torch.uint8)
    reach = min(_REACH, max(1, round(length + 0.2)))
    for right in range(-reach, reach + 1):
        columns = lattice.index_select(3, cell + right)
        for down in range(-reach, reach + 1):
            here = columns.index_select(2, cell + down)
            u, v = _place(here, count, length, width)
            rank = here[:, 4:5]
            top = (u.abs_() < 1).logical_and_(v.abs_() < 1).logical_and_(rank > best)
            best = torch.where(top, rank, best)
            slot.masked_fill_(top, (down + _REACH) * (2 * _REACH + 1) + right + _REACH)
    return best, slot
