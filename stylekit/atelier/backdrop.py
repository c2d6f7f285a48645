"""What lies behind the things: each setting as two distance fields, `near` and `detail`; the rest is far.

Every setting is one function of (p, horizon, x, y): eight uniform numbers an image, the height of its
horizon, and pixel coordinates in image widths. It returns fields that are positive inside; detail lies
over near.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["HORIZONS", "NUM_NUMBERS", "paint_backdrops"]

NUM_NUMBERS = 8
_LINE = 0.006  # half width of the lines between regions
Fields = tuple[Tensor, Tensor]

# Height of the horizon, downwards, and how far below it things stand at the furthest, in image widths;
# None where things hang in the air.
HORIZONS: dict[str, tuple[float, float] | None] = {
    "on the grass": (0.58, 0.08),
    "on a hill": (0.60, 0.15),
    "on the water": (0.60, 0.08),
    "under the sea": None,
    "in the sky": None,
    "in space": None,
    "on a table": (0.62, 0.08),
    "on a stage": (0.66, 0.14),
    "in a room": (0.64, 0.08),
    "in the snow": (0.58, 0.11),
    "on a road": (0.52, 0.08),
    "in a desert": (0.58, 0.11),
    "on the beach": (0.50, 0.22),
    "in a forest": (0.62, 0.08),
    "in a city": (0.66, 0.08),
    "in the mountains": (0.62, 0.08),
    "in a garden": (0.58, 0.08),
    "on a plain background": None,
}


def paint_backdrops(
    settings: Sequence[str], numbers: Float[Tensor, "n p"], horizons: Float[Tensor, " n"], size: int
) -> tuple[Float[Tensor, "n 3 h w"], Float[Tensor, "n h w"]]:
    """Return coverage of far, near and detail (summing to one), and distance to the lines between them."""
    axis = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    near, detail = torch.empty(len(settings), size, size), torch.empty(len(settings), size, size)
    for setting in dict.fromkeys(settings):
        rows = torch.tensor([index for index, other in enumerate(settings) if other == setting])
        p = numbers[rows].T[..., None, None]
        near[rows], detail[rows] = _SETTINGS[setting](p, horizons[rows][:, None, None], x, y)
    detail_cover = (detail * size + 0.5).clamp(0, 1)
    near_cover = (near * size + 0.5).clamp(0, 1) * (1 - detail_cover)
    coverage = torch.stack(((1 - near_cover - detail_cover).clamp_min(0), near_cover, detail_cover), 1)
    line = _LINE - torch.minimum(torch.where(detail > 0, 1.0, near.abs()), detail.abs())
    return coverage, line


def _box(x: Tensor, y: Tensor, half_width: Tensor | float, half_height: Tensor | float) -> Tensor:
    return torch.minimum(half_width - x.abs(), half_height - y.abs())


def _disc(x: Tensor, y: Tensor, radius: Tensor | float) -> Tensor:
    return radius - torch.hypot(x, y)


def _wave(x: Tensor, waves: float, phase: Tensor) -> Tensor:
    return torch.sin(2 * math.pi * (waves * x + phase))


def _cell(x: Tensor, cells: Tensor | float, phase: Tensor | float = 0.0) -> Tensor:
    """Repeat: the distance to the middle of the nearest of so many cells a width."""
    turn = x * cells + phase
    return (turn - turn.floor() - 0.5) / cells


def _both(*fields: Tensor) -> Tensor:
    return reduce(torch.minimum, fields)


def _either(*fields: Tensor) -> Tensor:
    return reduce(torch.maximum, fields)


def _triangles(x: Tensor, top: Tensor, half_width: float, height: float) -> Tensor:
    """Measure triangles that stand around x = 0 and whose tips are at top = 0 (downwards)."""
    slope = half_width / height
    return torch.minimum((top * slope - x.abs()) / math.hypot(1, slope), height - top)


def _grass(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = y - horizon + 0.015 * _wave(x, 0.8, p[0])
    tufts = [
        _triangles(_cell(x, 3.0, p[1 + k] + shift), y - horizon - 0.10 - 0.13 * k, 0.018, 0.055)
        for k in range(3)
        for shift in (-0.06, 0.06)
    ]
    return near, _either(*tufts)


def _hill(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = (y - horizon - 0.55 * (x - 0.4 - 0.2 * p[0]).square() + 0.02) * 0.9
    behind = y - horizon + 0.08 + 0.08 * _wave(x, 0.9, p[1])
    return near, _both(behind, -near)


def _water(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = (y - horizon - 0.012 * _wave(x, 5.0, p[0])) * 0.9
    crests = [
        _both(
            0.011 - (y - horizon - 0.1 - 0.11 * k - 0.012 * _wave(x, 6.0, p[1 + k])).abs(),
            0.11 - _cell(x, 2.0 + k % 2, p[4 + k]).abs(),
        )
        for k in range(3)
    ]
    return near, _either(*crests)


def _sea_bed(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = y - 0.88 + 0.03 * _wave(x, 1.2, p[0])
    middle = _cell(x + 0.025 * _wave(y, 3.0, p[1]), 3.0, p[2])
    weed = _both(0.022 - middle.abs(), y - 0.5 - 0.2 * p[3])
    bubbles = [_disc(x - p[4 + k], y - 0.12 - 0.2 * k - 0.1 * p[7], 0.018 + 0.008 * k) for k in range(3)]
    return near, _either(_both(weed, -near), *bubbles)


def _sky(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    bank = _disc(_cell(x, 4.0, p[0]), y - 1.0, 0.15)
    bank = _either(bank, _disc(_cell(x, 3.0, p[1]), y - 1.05, 0.2))
    clouds = [_cloud(x - p[2 + k], y - 0.12 - 0.28 * k - 0.1 * p[5], 0.05 + 0.015 * k) for k in range(3)]
    return bank, _both(_either(*clouds), -bank)


def _cloud(x: Tensor, y: Tensor, radius: float) -> Tensor:
    left = _disc(x + 1.1 * radius, y - 0.35 * radius, 0.65 * radius)
    right = _disc(x - 1.1 * radius, y - 0.3 * radius, 0.7 * radius)
    puffs = _either(_disc(x, y, radius), left, right)
    return _both(puffs, 0.6 * radius - y)


def _space(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = _disc(x - p[0], y - 1.75, 0.9)
    stars = [
        _spark(x - (p[1 + k % 6] + 0.37 * k) % 1.0, y - (p[7 - k % 5] + 0.61 * k) % 0.9, 0.022)
        for k in range(9)
    ]
    return near, _both(_either(*stars), -near)


def _spark(x: Tensor, y: Tensor, radius: float) -> Tensor:
    """Draw a four-pointed star."""
    return radius - (x.abs().clamp_min(1e-6).sqrt() + y.abs().clamp_min(1e-6).sqrt()).square()


def _table(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    top = _both(y - horizon, 0.93 - y, 0.985 - 0.22 * (0.93 - y) - (x - 0.5).abs() * 2 + 0.02)
    edge = _both(_box(x - 0.5, y - 0.955, 0.505, 0.025))
    legs = _both(_box((x - 0.5).abs() - 0.42, y - 1.0, 0.03, 0.03))
    return top, _either(edge, legs)


def _stage(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = y - horizon - 0.1
    side = (x - 0.5).abs()
    drape = side - 0.40 - 0.03 * p[0] - 0.06 * (y - 0.5).clamp(-0.5, 0.35).abs()
    scallop = _disc(_cell(x, 5.0, p[1]), y + 0.02, 0.13)
    return near, _either(_both(drape, 0.82 - y), scallop)


def _room(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = y - horizon
    wx, wy = x - 0.2 - 0.6 * p[0].round(), y - 0.27
    panes = _box(wx.abs() - 0.062, wy.abs() - 0.072, 0.052, 0.062)
    skirting = _box(x - 0.5, y - horizon + 0.02, 1.0, 0.02)
    return near, _either(panes, skirting)


def _snow(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = y - horizon - 0.03 * _wave(x, 0.7, p[0]) - 0.015 * _wave(x, 1.6, p[1])
    flakes = []
    for k in range(4):
        drop = 0.06 * _wave((x * 3 + p[2 + k]).floor(), 0.37, p[6])
        flakes.append(_disc(_cell(x, 3.0, p[2 + k]), y - 0.07 - 0.12 * k - drop, 0.014))
    return near, _both(_either(*flakes), -near - 0.02)


def _road(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = y - horizon
    depth = (y - horizon).clamp_min(0)
    middle = x - 0.5 - (0.3 * p[0] - 0.15) * (1 - depth * 2)
    road = (0.06 + 0.85 * depth - middle.abs()) * 0.75
    inverse = 1 / (depth + 0.12)
    dash = _both(0.008 + 0.035 * depth - middle.abs(), _cell(inverse, 1.1, p[1]).abs() * 0.12 - 0.025)
    return near, _both(road, near, -dash)


def _desert(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = y - horizon - 0.035 * _wave(x, 0.6, p[0])
    ridge = (_cell(x, 1.3, p[1]) * 1.3 + 0.5 - 0.7).clamp(-0.7, 0.3)
    dune = y - horizon + 0.17 - 0.16 * torch.where(ridge < 0, -ridge / 0.7, ridge / 0.3)
    return near, _both(dune * 0.8, -near)


def _beach(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    shore = y - horizon - 0.16 - 0.03 * _wave(x, 0.9, p[0]) - 0.012 * _wave(x, 2.2, p[1])
    return shore, _both(y - horizon, -shore)


def _forest(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = y - horizon + 0.01 * _wave(x, 1.1, p[0])
    rows = []
    for cells, shift, height in ((4.0, 0, 0.34), (5.0, 1, 0.26)):
        cell = _cell(x, cells, p[1 + shift])
        top = y - horizon + height + 0.06 * _wave((x * cells + p[1 + shift]).floor(), 0.31, p[3 + shift])
        rows += [_triangles(cell, top, 0.10, 0.16), _triangles(cell, top - 0.09, 0.125, 0.17)]
        rows.append(_both(0.018 - cell.abs(), top - 0.2))
    return near, _both(_either(*rows), -near)


def _city(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = y - horizon
    turn = x * 6 + p[0]
    tall = 0.24 + 0.14 * _wave(turn.floor(), 0.29, p[1])
    blocks = _both(0.075 - _cell(x, 6.0, p[0]).abs(), y - horizon + tall)
    windows = _box(_cell(_cell(x, 6.0, p[0]) + 0.5, 18.0), _cell(y - horizon + tall, 14.0, 0.2), 0.011, 0.016)
    windows = _both(windows, 0.055 - _cell(x, 6.0, p[0]).abs(), y - horizon + tall - 0.02)
    return near, _both(blocks, -near, -windows)


def _mountains(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = y - horizon - 0.02 * _wave(x, 0.8, p[0])
    peaks = [
        _triangles(x - centre - 0.16 * p[k + 1], y - horizon + height + 0.06 * p[k + 4], half, 1.0)
        for k, (centre, height, half) in enumerate(((0.05, 0.34, 0.9), (0.42, 0.44, 0.75), (0.8, 0.3, 1.0)))
    ]
    return near, _both(_either(*peaks), -near)


def _garden(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    near = y - horizon
    cell = _cell(x, 8.0, p[0])
    pickets = _both(0.036 - cell.abs(), y - horizon + 0.24 - cell.abs(), horizon + 0.02 - y)
    rails = _either(0.014 - (y - horizon + 0.16).abs(), 0.014 - (y - horizon + 0.06).abs())
    return near, _either(pickets, rails)


def _plain(p: Tensor, horizon: Tensor, x: Tensor, y: Tensor) -> Fields:
    nothing = torch.full((p.shape[1], *x.shape), -1.0)
    return nothing, nothing


_SETTINGS: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Fields]] = {
    "on the grass": _grass,
    "on a hill": _hill,
    "on the water": _water,
    "under the sea": _sea_bed,
    "in the sky": _sky,
    "in space": _space,
    "on a table": _table,
    "on a stage": _stage,
    "in a room": _room,
    "in the snow": _snow,
    "on a road": _road,
    "in a desert": _desert,
    "on the beach": _beach,
    "in a forest": _forest,
    "in a city": _city,
    "in the mountains": _mountains,
    "in a garden": _garden,
    "on a plain background": _plain,
}
