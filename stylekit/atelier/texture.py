"""Noise and cells; sizes are in image widths, random numbers per image.

Nothing here reduces over the batch or depends on its size, so an image comes out the same alone and
among others. Convolutions and matrix products, which choose their order of summation by batch size,
are avoided.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

__all__ = [
    "Cells",
    "Dice",
    "blur",
    "cells",
    "coordinates",
    "coverage",
    "noise",
    "pick",
    "pitch",
]


class Dice:
    """Random numbers for a batch: image i's numbers come from seed i and the purpose alone."""

    def __init__(self, seeds: Sequence[int], purpose: int = 0) -> None:
        self._generators = [torch.Generator() for _ in seeds]
        for generator, seed in zip(self._generators, seeds, strict=True):
            generator.manual_seed((seed * 1_000_003 + purpose * 7_919 + 12_345) % 2**63)

    def field(self, *shape: int) -> Tensor:
        """Draw uniform numbers of the given shape for each image."""
        return torch.stack([torch.rand(shape, generator=generator) for generator in self._generators])

    def number(self, low: float = 0.0, high: float = 1.0) -> Float[Tensor, "n 1 1 1"]:
        """Draw one uniform number for each image."""
        return low + (high - low) * self.field(1, 1, 1)


def pitch(width: float, floor: float, size: int) -> float:
    """Return a period in image widths that is never under `floor` pixels."""
    return max(width, floor / size)


def coordinates(size: int) -> tuple[Float[Tensor, "1 1 1 w"], Float[Tensor, "1 1 h 1"]]:
    """Return x and y of the pixel centres in image widths."""
    steps = (torch.arange(size) + 0.5) / size
    return steps.view(1, 1, 1, size), steps.view(1, 1, size, 1)


def coverage(distance: Tensor, size: int, ramp: Tensor | float = 0.0) -> Tensor:
    """Turn a signed distance in image widths into coverage, 0 to 1 over one pixel and the ramp."""
    return (distance / (ramp + 1.0 / size) + 0.5).clamp(0, 1)


def noise(
    dice: Dice, size: int, cells_y: int, cells_x: int | None = None, octaves: int = 1
) -> Float[Tensor, "n 1 h w"]:
    """Draw smooth noise around 0, about -1 to 1, of so many cells over the image, the same at every size."""
    total: Tensor | float = 0.0
    weight = 1.0
    for _ in range(octaves):
        rows, columns = (max(2, min(size, count)) for count in (cells_y, cells_x or cells_y))
        lattice = dice.field(1, rows, columns) * 2 - 1
        if (rows, columns) != (size, size):
            mode = "bicubic" if rows * 2 < size else "bilinear"
            lattice = functional.interpolate(lattice, (size, size), mode=mode, align_corners=False)
        total = total + weight * lattice
        weight, cells_y, cells_x = weight * 0.5, cells_y * 2, cells_x and cells_x * 2
    assert isinstance(total, Tensor)
    return total


def blur(image: Float[Tensor, "n c h w"], radius: float) -> Float[Tensor, "n c h w"]:
    """Blur with two box filters of the given radius in image widths."""
    size = image.shape[-1]
    reach = max(1, round(radius * size))
    for dim, pad in ((-2, (0, 0, reach, reach)), (-1, (reach, reach, 0, 0))) * 2:
        wide = functional.pad(image, pad, mode="replicate")
        image = wide.narrow(dim, 0, size).clone()
        for shift in range(1, 2 * reach + 1):
            image += wide.narrow(dim, shift, size)
        image /= 2 * reach + 1
    return image


class Cells(NamedTuple):
    """A jittered grid seen from each pixel."""

    edge: Float[Tensor, "n 1 h w"]
    """Distance to the border of the pixel's cell, in image widths."""
    shade: Float[Tensor, "n 1 h w"]
    """A random number of the cell, 0 to 1."""
    centre: Float[Tensor, "n 1 h w"]
    """Distance to the cell's centre, in image widths."""
    offset: Float[Tensor, "n 2 h w"]
    """From the cell's centre to the pixel (x, y), in image widths."""


def cells(dice: Dice, size: int, count: int, jitter: float = 1.0, shift: float = 0.0) -> Cells:
    """Split the image into `count` x `count` Voronoi cells; `shift` displaces every other row."""
    rows = count + 4
    grid = torch.arange(rows) - 1.5
    random = dice.field(3, rows, rows)
    points_x = (
        grid.view(1, 1, rows)
        + shift * (torch.arange(rows) % 2).view(1, rows, 1)
        + (random[:, 0] - 0.5) * jitter
    )
    points_y = grid.view(1, rows, 1) + (random[:, 1] - 0.5) * jitter
    lattice = torch.stack([points_x, points_y, random[:, 2]], 1)
    x, y = (axis * count for axis in coordinates(size))
    at = torch.floor((torch.arange(size) + 0.5) / size * count).long() + 2
    near = torch.full((len(random), 1, size, size), 9.0)
    second, slot = near, torch.zeros(near.shape, dtype=torch.uint8)
    for right in (-1, 0, 1):
        columns = lattice[:, :2].index_select(3, at + right)
        for down in (-1, 0, 1):
            here = columns.index_select(2, at + down)
            distance = (x - here[:, 0:1]).square_() + (y - here[:, 1:2]).square_()
            slot.masked_fill_(distance < near, 3 * (down + 1) + right + 1)
            second = torch.minimum(second, torch.maximum(near, distance))
            near = torch.minimum(near, distance)
    point = pick(lattice, slot, at - 1, 3)
    first, other = near.sqrt(), second.sqrt()
    offset = torch.cat([x - point[:, 0:1], y - point[:, 1:2]], 1)
    return Cells((other - first) / (2 * count), point[:, 2:3], first / count, offset / count)


def pick(
    lattice: Float[Tensor, "n c side side"],
    slot: UInt8[Tensor, "n 1 h w"],
    first: Int[Tensor, " h"],
    across: int,
) -> Float[Tensor, "n c h w"]:
    """Return what the lattice holds at the slot that each pixel chose among `across` x `across` of them.

    Args:
        lattice: What to pick from.
        slot: Place within the window of a pixel, counted row by row.
        first: Where the window begins, for each row of pixels and likewise for each column.
        across: Slots along each side of the window.
    """
    size, side = len(first), lattice.shape[-1]
    row = first.view(size, 1) + slot.div(across, rounding_mode="floor")
    index = (row * side + first + slot % across).flatten(2)
    return (
        lattice.flatten(2)
        .gather(2, index.expand(-1, lattice.shape[1], -1))
        .view(-1, lattice.shape[1], size, size)
    )
