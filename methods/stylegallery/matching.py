"""Which region of the references a region of the content takes its style from (StyleGallery, stage 2)."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from stylekit.seeding import drawing_from

__all__ = ["Described", "Likeness", "circle_overlap", "compare", "describe", "statistics_network"]

_LAYERS, _HEADS, _WIDENING = 8, 4, 4  # of the authors' network


class Described(NamedTuple):
    """Regions of an image, a row for each."""

    statistics: Float[Tensor, "r c2"]
    """Mean and variance of the features of diffusion."""
    semantics: Float[Tensor, "r d"]
    """Mean of the semantic tokens that touch it."""
    circles: Float[Tensor, "r 3"]
    """Row and column of its middle, and how far its farthest cell is from there, in widths of the image."""


class Likeness(NamedTuple):
    """How like two sets of regions are, each score in [-1, 1] or [0, 1]."""

    statistics: Float[Tensor, "a b"]
    semantics: Float[Tensor, "a b"]
    position: Float[Tensor, "a b"]
    total: Float[Tensor, "a b"]
    """The three with their weights."""


def statistics_network(width: int, seed: int) -> nn.Module:
    """Return the transformer that aggregates statistics: untrained, as the authors', but always the same."""
    with drawing_from(seed):
        layer = nn.TransformerEncoderLayer(
            width, _HEADS, _WIDENING * width, 0.0, F.gelu, batch_first=True, norm_first=True
        )
        network = nn.TransformerEncoder(layer, _LAYERS, enable_nested_tensor=False)
        for parameter in network.parameters():  # the layers are copies of one
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)
    return network.eval().requires_grad_(False)


def describe(
    labels: Int[Tensor, "h w"],
    features: Float[Tensor, "c h w"],
    tokens: Float[Tensor, "g g2 d"],
    network: nn.Module,
) -> Described:
    """Describe the regions 1, 2, … of an image."""
    masks = torch.stack([labels == number for number in range(1, int(labels.max()) + 1)])
    return Described(
        torch.stack([_statistics(mask, features, network) for mask in masks]),
        _semantics(masks, tokens),
        torch.stack([_circle(mask) for mask in masks]),
    )


def compare(ours: Described, theirs: Described, weights: tuple[float, float, float]) -> Likeness:
    """Score every region of ours against every one of theirs."""
    statistics, semantics = (
        F.normalize(one.double(), dim=1) @ F.normalize(other.double(), dim=1).mT
        for one, other in zip(ours[:2], theirs[:2], strict=True)
    )
    position = circle_overlap(ours.circles.double(), theirs.circles.double())
    parts = (statistics, semantics, position)
    total = torch.stack([weight * part for weight, part in zip(weights, parts, strict=True)]).sum(0)
    return Likeness(*(part.float() for part in (*parts, total)))


def circle_overlap(ours: Float[Tensor, "a 3"], theirs: Float[Tensor, "b 3"]) -> Float[Tensor, "a b"]:
    """Return the area that two circles share over the area that they cover."""
    gap = torch.cdist(ours[:, :2], theirs[:, :2])
    small = torch.minimum(ours[:, None, 2], theirs[None, :, 2])
    large = torch.maximum(ours[:, None, 2], theirs[None, :, 2])
    safe = gap.clamp_min(1e-12)
    # Each is cut by the chord through the points where they cross.
    halves = [
        radius.square() * (_angle(reach, radius) - (2.0 * _angle(reach, radius)).sin() / 2.0)
        for radius, reach in (
            (small, (safe.square() + small.square() - large.square()) / (2.0 * safe)),
            (large, (safe.square() + large.square() - small.square()) / (2.0 * safe)),
        )
    ]
    shared = torch.where(gap <= large - small, math.pi * small.square(), halves[0] + halves[1])
    shared = torch.where(gap >= large + small, torch.zeros_like(shared), shared)
    covered = math.pi * (small.square() + large.square()) - shared
    same = (gap < 1e-9) & (large - small < 1e-9)  # also points, which cover nothing
    return torch.where(same, torch.ones_like(shared), shared / covered.clamp_min(1e-12))


def _angle(reach: Tensor, radius: Tensor) -> Tensor:
    return torch.acos((reach / radius.clamp_min(1e-12)).clamp(-1.0, 1.0))


def _statistics(mask: Tensor, features: Tensor, network: nn.Module) -> Float[Tensor, " c2"]:
    """Let the cells of a region see one another; return their mean, and the variance as the authors take it.

    That is the variance over all cells of the image, those outside being 0, over the number of those inside.
    """
    seen = network(features[:, mask].mT[None])[0]  # (n, c)
    placed = torch.zeros_like(features)
    placed[:, mask] = seen.mT.to(placed)  # narrower under autocast
    return torch.cat([seen.mean(0), placed.flatten(1).var(1) / len(seen)])


def _semantics(masks: Tensor, tokens: Tensor) -> Float[Tensor, "r d"]:
    """Average the tokens in whose square any cell of a region lies."""
    touched = F.adaptive_max_pool2d(masks[None].float(), tokens.shape[:2])[0].flatten(1)
    return touched @ tokens.flatten(0, 1) / touched.sum(1, keepdim=True)


def _circle(mask: Tensor) -> Float[Tensor, " 3"]:
    places = (torch.nonzero(mask) + 0.5) / max(mask.shape)
    middle = places.mean(0)
    return torch.cat([middle, (places - middle).norm(dim=1).amax()[None]])
