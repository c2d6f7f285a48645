"""The overall identity of a style: a motif in the backdrop and a pattern in the objects."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.atelier.texture import Dice, cells, coordinates, coverage, noise

__all__ = ["BACKDROP_MOTIFS", "OBJECT_MOTIFS", "apply_motif"]

TAU = 2 * math.pi

Motif = Callable[[Dice, Tensor], Tensor]


def apply_motif(
    motifs: Mapping[str, Motif],
    identities: Sequence[str],
    seeds: Sequence[int],
    form: Float[Tensor, "n 1 h w"],
) -> Float[Tensor, "n 1 h w"]:
    """Return how much of its second colour each image's motif lays into a region.

    Args:
        motifs: What each identity draws; nothing if it is not there.
        identities: The identity of each image.
        seeds: The seed of each image.
        form: Signed distance to the edge of objects, positive inside.
    """
    amount = torch.zeros_like(form)
    for identity in sorted({*identities} & {*motifs}):
        members = [index for index, other in enumerate(identities) if other == identity]
        dice = Dice([seeds[index] for index in members], purpose=6)
        amount[members] = motifs[identity](dice, form[members])
    return amount


def _stripes(wave: Tensor, steepness: float, size: int) -> Tensor:
    return coverage(wave / steepness, size)


def _centre(dice: Dice, size: int) -> tuple[Tensor, Tensor, Tensor]:
    x, y = coordinates(size)
    dx, dy = x - dice.number(0.3, 0.7), y - dice.number(0.25, 0.65)
    return dx, dy, (dx * dx + dy * dy).sqrt()


def _sunburst(dice: Dice, form: Tensor) -> Tensor:
    dx, dy, _ = _centre(dice, form.shape[-1])
    return 0.55 * _stripes(
        torch.sin(torch.atan2(dy + 0.35, dx) * 20 + dice.number(0.0, TAU)), 14.0, form.shape[-1]
    )


def _dots(dice: Dice, form: Tensor) -> Tensor:
    x, y = coordinates(form.shape[-1])
    u, v = (x + y) * 10 + dice.number(), (x - y) * 10
    return 0.6 * _stripes(torch.cos(u * TAU) + torch.cos(v * TAU) - 0.5, 60.0, form.shape[-1])


def _echoes(dice: Dice, form: Tensor) -> Tensor:
    waver = 0.006 * noise(dice, form.shape[-1], 6)
    rings = _stripes(torch.sin((form + waver) * TAU * 15) - 0.2, 85.0, form.shape[-1])
    return 0.6 * rings * ((form + 0.30) * 10).clamp(0, 1)


def _blob(dice: Dice, form: Tensor) -> Tensor:
    _, _, radius = _centre(dice, form.shape[-1])
    warp = noise(dice, form.shape[-1], 4)
    return 0.65 * coverage(0.29 + 0.12 * warp - radius, form.shape[-1])


def _disc_and_bar(dice: Dice, form: Tensor) -> Tensor:
    dx, dy, radius = _centre(dice, form.shape[-1])
    disc = coverage(0.25 - radius, form.shape[-1])
    bar = coverage(0.04 - ((dx + dy) * 0.7 + 0.1).abs(), form.shape[-1])
    return 0.7 * (disc - bar).abs()


def _rings(dice: Dice, form: Tensor) -> Tensor:
    _, _, radius = _centre(dice, form.shape[-1])
    return 0.5 * _stripes(torch.sin((radius * 12 - dice.number()) * TAU), 76.0, form.shape[-1])


def _mist(dice: Dice, form: Tensor) -> Tensor:
    size = form.shape[-1]
    _, y = coordinates(size)
    bands = torch.sin((y * 3.2 + 0.10 * noise(dice, size, 4, 2) + dice.number()) * TAU) - 0.5
    return ((0.8 - 2.8 * y).clamp(0, 0.75) + 0.5 * _stripes(bands, 20.0, size) * (y > 0.2)).clamp(0, 0.9)


def _broken_colour(dice: Dice, form: Tensor) -> Tensor:
    return (0.65 * noise(dice, form.shape[-1], 17)).clamp(0, 0.6)


def _waves(dice: Dice, form: Tensor) -> Tensor:
    size = form.shape[-1]
    _, dy, radius = _centre(dice, size)
    warp = noise(dice, size, 4)
    return 0.55 * _stripes(torch.sin((dy * 4 + 0.9 * warp + radius * 3) * TAU), 45.0, size)


def _frame(dice: Dice, form: Tensor) -> Tensor:
    size = form.shape[-1]
    x, y = coordinates(size)
    _, _, radius = _centre(dice, size)
    inset = torch.minimum(0.5 - (x - 0.5).abs(), 0.5 - (y - 0.5).abs())
    frame = coverage(0.04 - inset, size)
    return torch.maximum(frame, 0.55 * coverage(0.2 - radius, size))


def _slats(dice: Dice, form: Tensor) -> Tensor:
    size = form.shape[-1]
    dx, dy, _ = _centre(dice, size)
    slats = _stripes(torch.sin((dy + 0.35 * dx) * TAU * 7), 44.0, size)
    return 0.65 * slats * coverage(0.36 - dx.abs(), size)


def _facets(dice: Dice, form: Tensor) -> Tensor:
    """Cut the picture by random straight lines and shade the pieces."""
    size = form.shape[-1]
    x, y = coordinates(size)
    angles, shifts = dice.field(4, 1, 1) * TAU, dice.field(4, 1, 1) * 0.7 - 0.35
    sides = coverage(torch.cos(angles) * (x - 0.5) + torch.sin(angles) * (y - 0.5) - shifts, size)
    return 0.30 * sides[:, 0:1] + 0.21 * sides[:, 1:2] + 0.15 * sides[:, 2:3] + 0.09 * sides[:, 3:4]


def _confetti(dice: Dice, form: Tensor) -> Tensor:
    spots = cells(dice, form.shape[-1], 8)
    u, v = spots.offset[:, :1], spots.offset[:, 1:]
    cosine, sine = torch.cos(spots.shade * 50), torch.sin(spots.shade * 50)
    along, across = u * cosine + v * sine, v * cosine - u * sine
    return 0.8 * coverage(torch.minimum(0.036 - along.abs(), 0.011 - across.abs()), form.shape[-1])


def _zigzag(dice: Dice, form: Tensor) -> Tensor:
    size = form.shape[-1]
    x, y = coordinates(size)
    inset = torch.minimum(y, 1 - y)
    tooth = ((x * 11 + dice.number()) % 1 - 0.5).abs() * 0.09
    row = torch.minimum(inset + tooth - 0.055, 0.125 - inset - tooth)
    beads = 0.016 - (((x * 11) % 1 - 0.5) ** 2 / 121 + (inset - 0.155) ** 2).sqrt()
    return 0.75 * coverage(torch.maximum(row, beads), size)


def _stars(dice: Dice, form: Tensor) -> Tensor:
    spots = cells(dice, form.shape[-1], 8)
    reach = 0.031 - spots.offset[:, :1].abs() - spots.offset[:, 1:].abs()
    return 0.75 * coverage(reach, form.shape[-1]) * (spots.shade > 0.2)


def _lozenges(dice: Dice, form: Tensor) -> Tensor:
    x, y = coordinates(form.shape[-1])
    u, v = (x + y) * 11 + dice.number(), (x - y) * 11
    return 0.75 * _stripes(torch.cos(u * TAU) + torch.cos(v * TAU) - 0.8, 65.0, form.shape[-1]).expand_as(
        form
    )


def _stripe_fill(dice: Dice, form: Tensor) -> Tensor:
    x, y = coordinates(form.shape[-1])
    angle = dice.number(0.0, TAU)
    wave = torch.sin((x * torch.cos(angle) + y * torch.sin(angle)) * TAU * 11)
    return 0.5 * _stripes(wave, 70.0, form.shape[-1])


def _bead_rows(dice: Dice, form: Tensor) -> Tensor:
    return 0.55 * _stripes(torch.sin(form * TAU * 26 + dice.number()) - 0.3, 150.0, form.shape[-1])


BACKDROP_MOTIFS: dict[str, Motif] = {
    "art deco": _sunburst,
    "pop art": _dots,
    "art nouveau": _echoes,
    "cubism": _facets,
    "mid-century modern": _blob,
    "bauhaus": _disc_and_bar,
    "memphis design": _confetti,
    "op art": _rings,
    "ukiyo-e": _mist,
    "impressionism": _broken_colour,
    "psychedelic art": _waves,
    "travel poster": _frame,
    "storybook illustration": _stars,
    "film noir": _slats,
    "folk art": _zigzag,
}
OBJECT_MOTIFS: dict[str, Motif] = {
    "folk art": _lozenges,
    "cubism": _facets,
    "impressionism": _broken_colour,
    "op art": _stripe_fill,
    "art nouveau": _bead_rows,
}
