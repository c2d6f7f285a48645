"""Surface textures: paper, cloth, stone, glass, screens."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.atelier.texture import Dice, cells, coordinates, coverage, noise, pitch

__all__ = ["TEXTURES", "surface"]

TAU = 2 * math.pi


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
