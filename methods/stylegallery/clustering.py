"""Cells of an image to clusters of like features (StyleGallery, stage 1)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from stylekit.errors import ConfigError

__all__ = ["choose_clusters", "k_means", "mixing_weights", "principal_parts", "silhouette"]

_STARTS, _ITERATIONS, _TOLERANCE = 10, 64, 1e-4  # the authors' code


def mixing_weights(num_steps: int) -> Float[Tensor, " n"]:
    """Weigh the features of the steps of an inversion: d(i) = 1 / (1 + exp(5 (i / T - 0.7))), of sum 1.

    Early steps, of little noise, count most.
    """
    places = torch.arange(num_steps) / num_steps
    weights = 1.0 / (1.0 + torch.exp(5.0 * (places - 0.7)))
    return weights / weights.sum()


def principal_parts(cells: Float[Tensor, "n c"], num_parts: int) -> Float[Tensor, "n p"]:
    """Standardise each channel and project on the directions of most variance.

    A channel that is constant counts nothing; the authors' code divides by its deviation of zero. The
    directions are exact, where the authors' `pca_lowrank` draws at random.
    """
    cells = cells.double()
    spread = cells.std(0)
    standard = (cells - cells.mean(0)) / torch.where(spread > 1e-8, spread, torch.ones_like(spread))
    directions: Tensor = torch.linalg.eigh(standard.mT @ standard)[1]  # ascending
    return (standard @ directions.flip(1)[:, :num_parts]).float()


def k_means(points: Float[Tensor, "n d"], num_clusters: int, seed: int) -> Int[Tensor, " n"]:
    """Cluster points with Lloyd's iteration from several random choices of rows; keep the tightest."""
    draw = torch.Generator().manual_seed(seed)
    rows = torch.stack([torch.randperm(len(points), generator=draw)[:num_clusters] for _ in range(_STARTS)])
    centres = points[rows.to(points.device)]  # (s, k, d)
    for _ in range(_ITERATIONS):
        member = torch.nn.functional.one_hot(_nearest(points, centres)[1], num_clusters).to(points)
        counts = member.sum(1)[..., None]
        moved = torch.where(counts > 0, (member.mT @ points) / counts.clamp_min(1.0), centres)
        shift = (moved - centres).norm(dim=-1).amax()
        centres = moved
        if float(shift) < _TOLERANCE:
            break
    gaps, labels = _nearest(points, centres)
    tightest: Tensor = labels[gaps.square().sum(1).argmin()]
    return tightest


def silhouette(distances: Float[Tensor, "n n"], labels: Int[Tensor, " n"]) -> float:
    """Return the mean silhouette: how much nearer points are to their own cluster than to the next one."""
    member = torch.nn.functional.one_hot(labels).to(distances)
    member = member[:, member.any(0)]
    counts = member.sum(0)
    if len(counts) < 2:
        return -1.0
    sums = distances @ member  # (n, k)
    size = (member * counts).sum(1)
    own = (sums * member).sum(1) / (size - 1.0).clamp_min(1.0)
    other = (sums / counts).masked_fill(member.bool(), torch.inf).amin(1)
    scores = (other - own) / torch.maximum(own, other).clamp_min(1e-12)
    return float(torch.where(size > 1.0, scores, torch.zeros_like(scores)).mean())


def choose_clusters(points: Float[Tensor, "n d"], fewest: int, most: int, seed: int) -> Int[Tensor, " n"]:
    """Cluster points in `fewest` to `most` clusters, as many as make the silhouette largest."""
    if fewest >= len(points):
        raise ConfigError(
            f"method.min_clusters={fewest} asks for more than {len(points)} cells can be parted into."
        )
    distances = torch.cdist(points, points)
    found = [k_means(points, count, seed) for count in range(fewest, min(most, len(points) - 1) + 1)]
    return max(found, key=lambda labels: silhouette(distances, labels))


def _nearest(points: Tensor, centres: Float[Tensor, "s k d"]) -> tuple[Tensor, Tensor]:
    gaps, labels = torch.cdist(points.expand(len(centres), -1, -1), centres).min(-1)
    return gaps, labels
