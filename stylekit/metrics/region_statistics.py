"""Statistics of feature maps within regions, and how far apart two are."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["RegionMoments", "moment_distance", "region_moments"]


class RegionMoments(NamedTuple):
    """Mean and covariance of each region."""

    means: Float[Tensor, "*n c"]
    covariances: Float[Tensor, "*n c c"]


def region_moments(maps: Float[Tensor, "n c h w"], weights: Float[Tensor, "n k h w"]) -> RegionMoments:
    """Return mean and covariance (of the population) within k regions, each place as heavy as its weight."""
    w = weights.flatten(2)
    w = w / w.sum(-1, keepdim=True)
    x = maps.flatten(2)
    means = w @ x.transpose(1, 2)  # n k c
    centred = x[:, None] - means[..., None]
    return RegionMoments(means, (centred * w[:, :, None]) @ centred.transpose(2, 3))


def moment_distance(one: RegionMoments, other: RegionMoments) -> Float[Tensor, "*n"]:
    """Return the Wasserstein distance between Gaussians of these moments.

    The root of |m - m'|^2 + tr(C + C' - 2 (C^(1/2) C' C^(1/2))^(1/2)); in units of the maps.
    """
    root = _root(one.covariances)
    cross = _root(root @ other.covariances @ root)
    trace = _trace(one.covariances) + _trace(other.covariances) - 2 * _trace(cross)
    square: Tensor = (one.means - other.means).square().sum(-1) + trace
    distances: Tensor = square.clamp_min(0).sqrt()
    return distances


def _root(matrices: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrices)
    roots: Tensor = vectors * values.clamp_min(0).sqrt().unsqueeze(-2) @ vectors.transpose(-1, -2)
    return roots


def _trace(matrices: Tensor) -> Tensor:
    traces: Tensor = matrices.diagonal(dim1=-2, dim2=-1).sum(-1)
    return traces
