"""Distances between two sets of features, and how much each part of one set has to do with them.

A distance is of a set and not a mean over images. So that it can be resampled and paired as other metrics
are, it is given as one value for each block of images (those of one prompt or style): the values' mean is
the distance of the whole set, and they scatter as the jackknife over the blocks says,

    value_b = D + (B - 1) (mean of D_-b over all b - D_-b),    D_-b: without block b.

The other set, the reference, is taken as it is.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = [
    "art_frechet_values",
    "blockwise",
    "frechet_distance",
    "frechet_values",
    "kernel_distance",
    "kernel_values",
]


def frechet_distance(features: Float[Tensor, "n d"], reference: Float[Tensor, "m d"]) -> float:
    """Return the squared Fréchet distance between Gaussians of the two sets' means and covariances.

    |mu - mu_r|^2 + tr(S + S_r - 2 (S S_r)^(1/2)), "FID" where the features are InceptionV3's. Few images
    make it larger: compare sets of the same size only (arXiv 1911.07023).
    """
    gaussian, x = _Gaussian(reference), _double(features)
    return gaussian.distance(x, x @ gaussian.root)


def kernel_distance(features: Float[Tensor, "n d"], reference: Float[Tensor, "m d"]) -> float:
    """Return the unbiased squared maximum mean discrepancy under the kernel (x . y / d + 1)^3.

    "KID" where the features are InceptionV3's (arXiv 1801.01401), here over all images at once and not over
    random subsets. Being unbiased, it can be below zero, and does not grow where there are few images.
    """
    x, y = _double(features), _double(reference)
    return float(_within(_kernel(x, x)) + _within(_kernel(y, y)) - 2 * _kernel(x, y).mean())


def frechet_values(
    features: Float[Tensor, "n d"], reference: Float[Tensor, "m d"], blocks: Int[Tensor, " n"]
) -> list[float]:
    """Return the Fréchet distance as a value for each block, the blocks in ascending order."""
    gaussian, x = _Gaussian(reference), _double(features)
    turned = x @ gaussian.root
    return blockwise(lambda kept: gaussian.distance(x[kept], turned[kept]), blocks)


def kernel_values(
    features: Float[Tensor, "n d"], reference: Float[Tensor, "m d"], blocks: Int[Tensor, " n"]
) -> list[float]:
    """Return the kernel distance as a value for each block, the blocks in ascending order."""
    x, y = _double(features), _double(reference)
    own, cross, others = _kernel(x, x), _kernel(x, y).mean(1), _within(_kernel(y, y))
    return blockwise(
        lambda kept: float(_within(own[kept][:, kept]) + others - 2 * cross[kept].mean()), blocks
    )


def art_frechet_values(
    features: Float[Tensor, "n d"],
    reference: Float[Tensor, "m d"],
    content: Float[Tensor, " n"],
    blocks: Int[Tensor, " n"],
) -> list[float]:
    """Return (1 + mean content distance) (1 + Fréchet distance) as a value for each block.

    The product of ArtFID (arXiv 2207.12280), there of LPIPS to the content image and of features of a
    network trained on paintings; here the caller says what the features and the content distances are.
    """
    gaussian, x = _Gaussian(reference), _double(features)
    turned, apart = x @ gaussian.root, content.detach().cpu().double()
    return blockwise(
        lambda kept: (1.0 + float(apart[kept].mean())) * (1.0 + gaussian.distance(x[kept], turned[kept])),
        blocks,
    )


def blockwise(distance: Callable[[Tensor], float], blocks: Int[Tensor, " n"]) -> list[float]:
    """Spread a distance over blocks; `distance` takes the rows that are kept."""
    names = torch.unique(blocks)
    if len(names) < 2:
        raise ValueError("a distance is spread over two blocks or more")
    without = torch.tensor([distance(torch.nonzero(blocks != name)[:, 0]) for name in names])
    whole = distance(torch.arange(len(blocks)))
    values: list[float] = (whole + (len(names) - 1) * (without.mean() - without)).tolist()
    return values


class _Gaussian:
    """Mean and root of the covariance of a set, computed once."""

    def __init__(self, features: Tensor) -> None:
        x = _double(features)
        self.mean = x.mean(0)
        covariance = torch.cov(x.T)
        values, vectors = torch.linalg.eigh(covariance)
        self.trace = covariance.trace()
        self.root = vectors * values.clamp_min(0.0).sqrt() @ vectors.T

    def distance(self, x: Tensor, turned: Tensor) -> float:
        """Return the distance to a set, `turned` being its rows times the root."""
        freedom = len(x) - 1
        trace = (x - x.mean(0)).square().sum() / freedom
        # The eigenvalues of S S_r are those of M M^T and of M^T M, for M the product of their roots.
        product = (turned - turned.mean(0)) / freedom**0.5
        square = product @ product.T if len(x) < x.shape[1] else product.T @ product
        cross = torch.linalg.eigvalsh(square).clamp_min(0.0).sqrt().sum()
        distance = (x.mean(0) - self.mean).square().sum() + trace + self.trace - 2 * cross
        return max(0.0, float(distance))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1.0) ** 3


def _within(kernel: Tensor) -> Tensor:
    """Average over pairs of two different rows."""
    count = len(kernel)
    return (kernel.sum() - kernel.trace()) / (count * (count - 1))


def _double(features: Tensor) -> Tensor:
    if features.ndim != 2 or len(features) < 2:
        raise ValueError(f"a distance needs two rows of features or more, not {tuple(features.shape)}")
    if not torch.isfinite(features).all():
        raise ValueError("features hold NaN or infinite values: the images or the network are broken")
    return features.detach().cpu().double()
