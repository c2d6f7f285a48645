"""Noise, cells and surface textures; sizes are in image widths, random numbers per image.

Nothing here reduces over the batch or depends on its size, so an image comes out the same alone and
among others. Convolutions and matrix products, which choose their order of summation by batch size,
are avoided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from torch.nn import functional

__all__ = [
    "TEXTURES",
    "Cells",
    "Dice",
    "blur",
    "cells",
    "coordinates",
    "coverage",
    "noise",
    "pick",
    "pitch",
    "surface",
]

TAU = 2 * math.pi


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


def surface(
    words: Sequence[str], dice_of: Callable[[list[int]], Dice], size: int
) -> Float[Tensor, "n 1 h w"]:
    """Lay each image's surface texture: lightening above 0, darkening below, at most about 0.3."""
    relief = torch.zeros(len(words), 1, size, size)
    for word in sorted(set(words)):
        members = [index for index, other in enumerate(words) if other == word]
        texture = TEXTURES[word]
        if texture is not None:
            relief[members] = texture(dice_of(members), size)
    return relief


def _grain(dice: Dice, size: int) -> Tensor:
    return 0.06 * noise(dice, size, 160) + 0.065 * noise(dice, size, 48, octaves=2)


def _film_grain(dice: Dice, size: int) -> Tensor:
    return 0.19 * noise(dice, size, size // max(1, size // 128)) * (0.6 + 0.4 * noise(dice, size, 6))


def _laid(dice: Dice, size: int) -> Tensor:
    x, y = coordinates(size)
    ribs = torch.sin(y * TAU / pitch(1 / 30, 3.0, size) + 0.8 * noise(dice, size, 5))
    chains = (torch.cos(x * TAU * 5 + dice.number(0.0, TAU)) - 0.93).clamp(min=0) * 3
    return 0.11 * ribs - 0.6 * chains + 0.04 * noise(dice, size, 90)


def _speckled(dice: Dice, size: int) -> Tensor:
    spots = cells(dice, size, 19, jitter=1.6)
    radius = 0.016 * (spots.shade * 7 % 1) ** 2 + 0.0045
    flecks = coverage(radius - spots.centre, size)
    return flecks * (0.16 * (spots.shade > 0.86) - 0.34 * (spots.shade < 0.42)) + 0.03 * noise(dice, size, 80)


def _crumpled(dice: Dice, size: int) -> Tensor:
    folds = cells(dice, size, 5)
    facet = (
        folds.offset[:, :1] * torch.cos(folds.shade * 40) + folds.offset[:, 1:] * torch.sin(folds.shade * 40)
    ) * 5
    crease = (1 - folds.edge * 60).clamp(min=0)
    return 0.15 * facet + 0.09 * (folds.shade - 0.5) + 0.085 * crease + 0.02 * noise(dice, size, 70)


def _worn(dice: Dice, size: int) -> Tensor:
    patches = noise(dice, size, 7, octaves=2) * 0.6 + noise(dice, size, 48, octaves=2)
    return 0.25 * ((patches - 0.62) * 4).clamp(0, 1) + 0.04 * noise(dice, size, 60)


def _folded(dice: Dice, size: int) -> Tensor:
    x, y = coordinates(size)
    x, y = x + dice.number(-0.06, 0.06), y + dice.number(-0.06, 0.06)
    wavy = 0.003 * noise(dice, size, 24)
    relief: Tensor | float = 0.0
    for axis in (x * 3, y * 2):
        position = axis + wavy
        crease = (1 - (position - position.round()).abs() * 34).clamp(min=0)
        relief = relief + 0.20 * crease + 0.16 * (position - torch.floor(position + 0.5))
    return relief + 0.05 * noise(dice, size, 50)


def _weave(dice: Dice, size: int) -> Tensor:
    x, y = coordinates(size)
    period = pitch(1 / 36, 4.0, size)
    wobble = 0.25 * noise(dice, size, 8)
    u, v = x * TAU / period + wobble, y * TAU / period - wobble
    over = torch.sign(torch.sin(u / 2) * torch.sin(v / 2))
    return 0.08 * (
        over * (torch.cos(u) - torch.cos(v)) * 0.5 - 0.4 * (torch.cos(u) * torch.cos(v))
    ) + 0.03 * noise(dice, size, 90)


def _twill(dice: Dice, size: int) -> Tensor:
    x, y = coordinates(size)
    diagonal = torch.sin((x + y) * TAU / pitch(1 / 22, 5.0, size) + 0.4 * noise(dice, size, 6))
    return 0.13 * diagonal + 0.05 * noise(dice, size, 120)


def _felt(dice: Dice, size: int) -> Tensor:
    return 0.10 * noise(dice, size, 26, octaves=3)


def _rough(dice: Dice, size: int) -> Tensor:
    height = noise(dice, size, 26, octaves=2)
    lit = height - torch.roll(height, (max(1, size // 96), max(1, size // 96)), (2, 3))
    return (0.16 * lit).clamp(-0.16, 0.16)


def _wood(dice: Dice, size: int) -> Tensor:
    _, y = coordinates(size)
    waves = noise(dice, size, 5, 2)
    rings = torch.sin((y * 9 + 0.8 * waves) * TAU)
    return 0.11 * rings + 0.10 * noise(dice, size, 64, 5) - 0.03


def _dusty(dice: Dice, size: int) -> Tensor:
    clouds = noise(dice, size, 4, 3, octaves=3)
    swipes = noise(dice, size, 30, 3)
    return 0.16 * (clouds + 0.3).clamp(min=0) * (1 + 0.5 * swipes) + 0.05 * noise(dice, size, 128)


def _rippled(dice: Dice, size: int) -> Tensor:
    x, y = coordinates(size)
    return 0.20 * torch.sin((x * 11 + y * 4 + 0.9 * noise(dice, size, 4)) * TAU)


def _seeded(dice: Dice, size: int) -> Tensor:
    bubbles = cells(dice, size, 13)
    radius = 0.010 + 0.012 * (bubbles.shade * 5 % 1)
    ring = coverage(0.006 - (bubbles.centre - radius).abs(), size)
    glint = coverage(radius - bubbles.centre, size)
    return (0.30 * glint - 0.28 * ring) * (bubbles.shade < 0.75)


def _frosted(dice: Dice, size: int) -> Tensor:
    return 0.13 * noise(dice, size, size // max(1, size // 96)) + 0.08 + 0.05 * noise(dice, size, 9)


def _speckled_stone(dice: Dice, size: int) -> Tensor:
    grains = noise(dice, size, 56)
    return 0.20 * ((grains - 0.35) * 3).clamp(0, 1) - 0.22 * ((-grains - 0.35) * 3).clamp(0, 1)


def _veined(dice: Dice, size: int) -> Tensor:
    x, y = coordinates(size)
    warp = noise(dice, size, 4, octaves=3)
    vein = 1 - (torch.sin((x * 2.2 + y * 1.4 + 0.5 * warp) * TAU)).abs() * 3.2
    return 0.30 * vein.clamp(min=0) + 0.08 * warp


def _rough_stone(dice: Dice, size: int) -> Tensor:
    height = noise(dice, size, 17, octaves=3)
    shift = max(1, size // 64)
    return (0.21 * (height - torch.roll(height, (shift, shift), (2, 3)))).clamp(-0.28, 0.28)


def _scan_lines(dice: Dice, size: int) -> Tensor:
    rows = torch.arange(size) // max(1, size // 64) % 2
    return (0.07 - 0.26 * rows).view(1, 1, size, 1) + 0.02 * noise(dice, size, 4)


def _screen_grid(dice: Dice, size: int) -> Tensor:
    lines = (torch.arange(size) // max(1, size // 64) % 4 == 3).float()
    grid = torch.maximum(lines.view(1, 1, size, 1), lines.view(1, 1, 1, size))
    return 0.05 - 0.24 * grid + 0.02 * noise(dice, size, 4)


TEXTURES: dict[str, Callable[[Dice, int], Tensor] | None] = {
    "smooth paper": None,
    "smooth ground": None,
    "clean screen": None,
    "clear glass": None,
    "polished stone": None,
    "paper grain": _grain,
    "film grain": _film_grain,
    "laid paper": _laid,
    "speckled paper": _speckled,
    "crumpled paper": _crumpled,
    "worn print": _worn,
    "folded paper": _folded,
    "canvas weave": _weave,
    "linen twill": _twill,
    "felt ground": _felt,
    "rough tooth": _rough,
    "wood grain": _wood,
    "dusty board": _dusty,
    "rippled glass": _rippled,
    "seeded glass": _seeded,
    "frosted glass": _frosted,
    "speckled granite": _speckled_stone,
    "veined marble": _veined,
    "rough stone": _rough_stone,
    "scan lines": _scan_lines,
    "screen grid": _screen_grid,
}
