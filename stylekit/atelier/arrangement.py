"""Where each thing of a scene goes: sizes and places that honour the relations, for many scenes at once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylekit.atelier.backdrop import HORIZONS, NUM_NUMBERS
from stylekit.atelier.scene import MAX_INSTANCES, Scene
from stylekit.atelier.shapes import load_atlas
from stylekit.atelier.vocabulary import VOCABULARY, index_of

__all__ = ["Arrangement", "arrange"]

Array = NDArray[np.float64]
_K = MAX_INSTANCES
_TRIES = 4  # starts a scene; the best end is kept
_STEPS = 60
_SIZES = {"small": 0.74, "medium": 1.0, "large": 1.3}
_WIDTHS = (0.0, 0.62, 0.47, 0.41, 0.38)  # of a medium thing among so many, in image widths
_CLEAR = 0.94  # of the sum of the half widths: how far apart unrelated things keep
_ORDERED = 0.8  # the same, for left of, above and so on, measured along that axis
_BESIDE = 0.66  # the same, for the sideways offset of a thing in front of another


class Arrangement(NamedTuple):
    """Up to four things an image, from back to front; lengths in image widths, y downwards."""

    indices: NDArray[np.int64]  # (n, 4): the thing, -1 where there is none
    x: Array  # (n, 4): middle of the silhouette's box
    y: Array
    scale: Array  # (n, 4): width of the shape's tile
    angle: Array  # (n, 4): radians
    mirror: Array  # (n, 4): -1 mirrored, 1 not
    horizons: Array  # (n,)
    numbers: Array  # (n, 8): uniform numbers for the backdrop


@dataclass
class _Plan:
    """What must hold in one scene, by instance."""

    draw: random.Random
    indices: list[int] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)  # wanted, in image widths, along the longer side
    parents: dict[int, int] = field(default_factory=dict)  # inside whom
    left: list[tuple[int, int]] = field(default_factory=list)
    above: list[tuple[int, int]] = field(default_factory=list)
    after: list[tuple[int, int]] = field(default_factory=list)  # (later, earlier) in drawing order
    fronts: dict[int, int] = field(default_factory=dict)  # attached in front of whom
    horizon: float = 2.0
    floor: float = 2.0  # the furthest that things stand
    angles: list[float] = field(default_factory=list)
    stands: list[bool] = field(default_factory=list)
    flies: list[bool] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)


def arrange(scenes: Sequence[Scene], seeds: Sequence[int]) -> Arrangement:
    """Arrange each scene by (scene, seed) alone."""
    plans = [_plan(scene, seed) for scene, seed in zip(scenes, seeds, strict=True)]
    n = len(plans)
    x, y, shrink = _relax(plans)
    out = Arrangement(
        np.full((n, _K), -1, np.int64),
        np.zeros((n, _K)),
        np.zeros((n, _K)),
        np.ones((n, _K)),
        np.zeros((n, _K)),
        np.ones((n, _K)),
        np.array([plan.horizon for plan in plans]),
        np.array([plan.numbers for plan in plans]),
    )
    for row, plan in enumerate(plans):
        _place(plan, x[row], y[row], shrink[row], row, out)
    return out


def _plan(scene: Scene, seed: int) -> _Plan:
    draw = random.Random(f"layout {seed} {scene.prompt()}")
    plan = _Plan(draw)
    horizon = HORIZONS[scene.setting]
    if horizon is not None:
        plan.horizon = horizon[0] + draw.uniform(-0.03, 0.03)
        plan.floor = plan.horizon + horizon[1]
    plan.numbers = [draw.random() for _ in range(NUM_NUMBERS)]
    groups: list[list[int]] = []
    for item in scene.objects:
        groups.append(list(range(len(plan.indices), len(plan.indices) + item.count)))
        plan.indices += [index_of(item.name)] * item.count
    _relate(plan, scene, groups)
    num_bodies = len(plan.indices) - len(plan.parents) - 0.5 * len(plan.fronts)
    width = float(np.interp(num_bodies, range(5), _WIDTHS))
    for item, group in zip(scene.objects, groups, strict=True):
        for i in group:
            factor = _SIZES[item.size] * draw.uniform(0.95, 1.05)
            factor *= 1.4 if i in plan.parents.values() else 1.15 if i in plan.fronts.values() else 1.0
            plan.widths.append(min(width * factor, 0.86))
            is_upper = any(i == upper for upper, _ in plan.above)
            is_lower = any(i == lower for _, lower in plan.above)
            is_attached = i in plan.fronts or i in plan.fronts.values()
            belongs_above = "sky" in item.thing.places
            plan.angles.append(draw.uniform(-1, 1) * (0.2 if belongs_above else 0.09))
            plan.stands.append(horizon is not None and not belongs_above and not is_upper)
            plan.flies.append(horizon is not None and belongs_above and not is_lower and not is_attached)
    return plan


def _relate(plan: _Plan, scene: Scene, groups: list[list[int]]) -> None:
    """Turn the relations between kinds of things into relations between instances."""
    for position, relation in enumerate(scene.relations):
        if relation == "inside":
            plan.parents |= dict.fromkeys(groups[position], groups[position + 1][0])
    outer = [sorted({plan.parents.get(i, i) for i in group}) for group in groups]
    plan.after += list(plan.parents.items())
    for relation, (these, those), (mine, theirs) in zip(
        scene.relations, pairwise(outer), pairwise(groups), strict=True
    ):
        pairs = [(i, j) for i in these for j in those]
        if relation == "left of":
            plan.left += pairs
        elif relation == "right of":
            plan.left += [(j, i) for i, j in pairs]
        elif relation == "above":
            plan.above += pairs
        elif relation == "below":
            plan.above += [(j, i) for i, j in pairs]
        elif relation in ("in front of", "behind"):
            if relation == "behind":
                these, those, mine, theirs = those, these, theirs, mine
            plan.after += [(i, j) for i in {*these, *mine} for j in {*those, *theirs}]
            for turn, i in enumerate(these):
                if i not in plan.fronts:
                    plan.fronts[i] = those[turn % len(those)]


def _relax(plans: list[_Plan]) -> tuple[Array, Array, Array]:
    """Push things apart and into order until everything fits, shrinking what cannot; keep the best try."""
    n = len(plans)
    half = np.zeros((n, _K, 2))
    body = np.zeros((n, _K), np.bool_)
    left, above, front = (np.zeros((n, _K, _K), np.bool_) for _ in range(3))
    low, high = np.zeros((n, _K)), np.full((n, _K), 0.98)  # where the foot of each may be
    ceiling = np.full((n, _K), 0.02)
    start = np.zeros((n, _TRIES, _K, 2))
    side = np.ones((n, _TRIES, _K))
    for row, plan in enumerate(plans):
        count = len(plan.indices)
        for i in range(count):
            extent = _extent(plan.indices[i])
            turned = 0.8 * abs(plan.angles[i]) * extent[::-1]  # corners are seldom filled
            half[row, i] = (extent + turned) * plan.widths[i] / 2
            body[row, i] = i not in plan.parents
            low[row, i], high[row, i] = (plan.floor, 0.965) if plan.stands[i] else (0.0, 0.98)
            if plan.flies[i]:
                high[row, i] = plan.horizon + 0.02
        for matrix, pairs in ((left, plan.left), (above, plan.above), (front, plan.fronts.items())):
            for i, j in pairs:
                matrix[row, i, j] = True
        for attempt in range(_TRIES):
            slots = plan.draw.sample(range(count), count)
            for i, slot in enumerate(slots):
                start[row, attempt, i] = (
                    (slot + plan.draw.uniform(0.2, 0.8)) / count,
                    plan.draw.uniform(0.25, 0.85),
                )
            first = plan.draw.choice((-1.0, 1.0))
            for turn, i in enumerate(plan.fronts):  # those in front of the same thing take turns
                side[row, attempt, i] = first if turn % 2 == 0 else -first
    repeat = [np.repeat(array, _TRIES, 0) for array in (half, body, left, above, front, low, high, ceiling)]
    x, y, shrink, fault = _iterate(start.reshape(-1, _K, 2), side.reshape(-1, _K), *repeat)
    score = (shrink - 3 * fault).reshape(n, _TRIES)
    best = np.arange(n) * _TRIES + score.argmax(1)
    return x[best], y[best], shrink[best]


@cache
def _extent(index: int) -> Array:
    """Return width and height of a silhouette, of which the larger is one (or less for tiny icons)."""
    left, top, right, bottom = load_atlas().boxes[index]
    size = np.array([right - left, bottom - top])
    return size / max(float(size.max()), 0.7)


def _iterate(
    start: Array, side: Array, half: Array, body: NDArray[np.bool_], left: NDArray[np.bool_],
    above: NDArray[np.bool_], front: NDArray[np.bool_], low: Array, high: Array, ceiling: Array,
) -> tuple[Array, Array, Array, Array]:  # fmt: skip
    x, y = start[..., 0].copy(), start[..., 1].copy()
    shrink = np.ones(len(x))
    apart = body[:, :, None] & body[:, None, :] & ~np.eye(_K, dtype=np.bool_)
    related = front | front.transpose(0, 2, 1)
    apart &= ~related
    beside = side[:, :, None] * _BESIDE
    fault = np.zeros(len(x))
    for step in range(_STEPS):
        half_x, half_y = half[..., 0] * shrink[:, None], half[..., 1] * shrink[:, None]
        gap_x, gap_y = x[:, None, :] - x[:, :, None], y[:, None, :] - y[:, :, None]  # [i, j]: from i to j
        sum_x, sum_y = half_x[:, :, None] + half_x[:, None, :], half_y[:, :, None] + half_y[:, None, :]
        short_x = np.where(left, np.maximum(_ORDERED * sum_x - gap_x, 0), 0)
        short_y = np.where(above, np.maximum(_ORDERED * sum_y - gap_y, 0), 0)
        over_x, over_y = _CLEAR * sum_x - np.abs(gap_x), _CLEAR * sum_y - np.abs(gap_y)
        clash = apart & (over_x > 0) & (over_y > 0)
        push_x = np.where(clash & (over_x <= over_y), over_x * np.where(gap_x >= 0, 1, -1), 0)
        push_y = np.where(clash & (over_x > over_y), over_y * np.where(gap_y >= 0, 1, -1), 0)
        # in front: to one side, and a little lower
        pull_x = np.where(front, beside * sum_x - gap_x, 0)
        foot = half_y[:, None, :] - half_y[:, :, None]
        pull_y = np.where(front, -0.05 - (gap_y + foot), 0)
        move_x, move_y = short_x + 0.5 * push_x + pull_x, short_y + 0.5 * push_y + pull_y
        x = x + 0.4 * (_sum(move_x.transpose(0, 2, 1)) - _sum(move_x))
        y = y + 0.4 * (_sum(move_y.transpose(0, 2, 1)) - _sum(move_y))
        x = np.clip(x, np.minimum(half_x + 0.02, 0.5), np.maximum(0.98 - half_x, 0.5))
        y = np.maximum(np.clip(y + half_y, low, high) - half_y, ceiling + half_y)
        fault = np.maximum(short_x, short_y).max((1, 2)) + np.where(clash, np.minimum(over_x, over_y), 0).max(
            (1, 2)
        )
        fault += 0.5 * np.maximum(np.abs(pull_x), np.abs(pull_y)).max((1, 2))
        if step > 12:
            shrink = np.where(fault > 0.012, shrink * 0.983, shrink)
    x = x + 0.7 * (0.5 - _middle(x, half_x, body))[:, None]
    hangs = ((low == 0) & (high > 0.97)).all(1)
    return x, y + np.where(hangs, 0.7 * (0.5 - _middle(y, half_y, body)), 0)[:, None], shrink, fault


def _sum(pairs: Array) -> Array:
    """Add over the last axis in a fixed order, so that a scene's numbers do not depend on its batch."""
    return np.asarray(pairs[..., 0] + pairs[..., 1] + pairs[..., 2] + pairs[..., 3])


def _middle(x: Array, half: Array, body: NDArray[np.bool_]) -> Array:
    first = np.where(body, x - half, 2.0).min(1)
    last = np.where(body, x + half, -1.0).max(1)
    return np.asarray((first + last) / 2)


def _place(plan: _Plan, x: Array, y: Array, shrink: float, row: int, out: Arrangement) -> None:
    """Write one scene, from back to front, with what is inside put into its container."""
    atlas = load_atlas()
    extents = [_extent(index) for index in plan.indices]
    sizes = [
        _tile_width(index, width * shrink) for index, width in zip(plan.indices, plan.widths, strict=True)
    ]
    mirrors = [plan.draw.choice((-1, 1)) if VOCABULARY[i].is_mirrored else 1 for i in plan.indices]
    angles = plan.angles
    for parent in set(plan.parents.values()):
        children = [i for i, outer in plan.parents.items() if outer == parent]
        box, inner = atlas.boxes[plan.indices[parent]], atlas.inner_boxes[plan.indices[parent]]
        angles[parent] *= 0.3
        offset = mirrors[parent] * ((inner[0] + inner[2]) - (box[0] + box[2])) / 2
        middle_x = x[parent] + offset * sizes[parent]
        middle_y = y[parent] + ((inner[1] + inner[3]) - (box[1] + box[3])) / 2 * sizes[parent]
        room = (inner[2:] - inner[:2]) * sizes[parent] * 0.94
        columns = len(children) if room[0] > 0.6 * room[1] or len(children) == 1 else 1
        rows = -(-len(children) // columns)
        for turn, i in enumerate(children):
            width = min(room[0] / columns / extents[i][0], room[1] / rows / extents[i][1])
            sizes[i] = _tile_width(plan.indices[i], width)
            angles[i] *= 0.3
            x[i] = middle_x + ((turn % columns + 0.5) / columns - 0.5) * room[0]
            y[i] = middle_y + ((turn // columns + 0.5) / rows - 0.5) * room[1]
    for k, i in enumerate(_back_to_front(plan, x, y)):
        out.indices[row, k] = plan.indices[i]
        out.x[row, k], out.y[row, k], out.scale[row, k] = x[i], y[i], sizes[i]
        out.angle[row, k], out.mirror[row, k] = angles[i], mirrors[i]


def _tile_width(index: int, width: float) -> float:
    """Return how wide the shape's tile must be for its silhouette to be this wide or high."""
    left, top, right, bottom = load_atlas().boxes[index]
    return width / max(float(max(right - left, bottom - top)), 0.7)


def _back_to_front(plan: _Plan, x: Array, y: Array) -> list[int]:
    """Order by the foot of each, what flies first, as far as the relations leave it open."""
    left = list(range(len(plan.indices)))
    foot = {i: y[i] - (2.0 if plan.flies[i] else 0.0) for i in left}
    order = []
    while left:
        ready = [i for i in left if not any(later == i and earlier in left for later, earlier in plan.after)]
        order.append(min(ready, key=lambda i: foot[i]))
        left.remove(order[-1])
    return order
