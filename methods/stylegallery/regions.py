"""Clusters of cells to regions: merged, parted by depth, without islands (StyleGallery, stage 1)."""

from __future__ import annotations

from itertools import combinations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from scipy import ndimage
from torch import Tensor

from methods.stylegallery.clustering import k_means

__all__ = ["absorb_islands", "merge", "nearest_labels", "numbered", "part_by_depth", "part_by_place"]

_REACH = 0.35  # distance of latents, and
_DEPTH_REACH = 0.3  # difference of depths, below which parts are one again (the authors' code)
_SMALL, _LARGE = 0.05, 0.95  # quantiles between which depth spans


def merge(
    labels: Int[Tensor, "h w"],
    latents: Float[Tensor, "c h w"],
    reach: float,
    depth: Float[Tensor, "h w"] | None = None,
) -> Int[Tensor, "h w"]:
    """Make regions one whose mean latents are less than `reach` apart, and so on along chains.

    With a map of depth their mean depths must be close, too.
    """
    numbers = _numbers(labels)
    means = torch.stack([latents[:, labels == number].mean(1) for number in numbers])
    close = torch.cdist(means, means) < reach
    if depth is not None:
        depths = torch.stack([depth[labels == number].mean() for number in numbers])
        close &= (depths[:, None] - depths).abs() < _DEPTH_REACH
    merged = labels.clone()
    for first, second in combinations(range(len(numbers)), 2):
        if close[first, second]:
            # By cells, so that what either was merged with before comes along.
            one, other = (int(merged[labels == numbers[index]][0]) for index in (first, second))
            merged[merged == other] = one
    return numbered(merged)


def part_by_depth(
    labels: Int[Tensor, "h w"],
    latents: Float[Tensor, "c h w"],
    depth: Float[Tensor, "h w"],
    span: float,
    min_cells: int,
    seed: int,
) -> Int[Tensor, "h w"]:
    """Part regions that reach far into the depth in a near and a far one; join what belongs together."""
    parted = labels.clone()
    for number in _numbers(labels):
        inside = labels == number
        depths = depth[inside]
        if len(depths) < min_cells or float(depths.quantile(_LARGE) - depths.quantile(_SMALL)) < span:
            continue
        parted[inside] += k_means(depths[:, None], 2, seed) * (int(parted.max()) + 1)
    return merge(parted, latents, _REACH, depth)


def part_by_place(labels: Int[Tensor, "h w"]) -> Int[Tensor, "h w"]:
    """Make every connected piece of a region a region of its own; every cell is of one."""
    parted = torch.zeros_like(labels)
    for number in _numbers(labels):
        pieces = torch.from_numpy(ndimage.label((labels == number).cpu().numpy())[0]).to(labels)
        parted += torch.where(pieces > 0, pieces + parted.max(), 0)
    return numbered(parted)


def absorb_islands(labels: Int[Tensor, "h w"], min_cells: int) -> Int[Tensor, "h w"]:
    """Give connected pieces of fewer cells to the region that most of the cells around them are of."""
    found = labels.cpu().numpy().copy()
    for number in _numbers(labels):
        pieces, count = ndimage.label(found == number)  # by the four neighbours
        for piece in range(1, count + 1):
            inside = pieces == piece
            ring = ndimage.binary_dilation(inside) & ~inside
            if inside.sum() < min_cells and ring.any():
                around = torch.from_numpy(found[ring])
                found[inside] = int(around.mode().values)
    return numbered(torch.from_numpy(found).to(labels))


def nearest_labels(labels: Int[Tensor, "n h w"], size: tuple[int, int]) -> Int[Tensor, "n h2 w2"]:
    """Give the cells of another grid the region of the nearest cell."""
    return F.interpolate(labels[:, None].float(), size, mode="nearest")[:, 0].long()


def numbered(labels: Int[Tensor, "h w"]) -> Int[Tensor, "h w"]:
    """Number regions from 1, in the order in which they appear; 0 stays what belongs to none."""
    order = [number for number in dict.fromkeys(labels.flatten().tolist()) if number != 0]
    renumbered = torch.zeros_like(labels)
    for index, number in enumerate(order):
        renumbered[labels == number] = index + 1
    return renumbered


def _numbers(labels: Tensor) -> list[int]:
    return sorted(set(labels.flatten().tolist()))
