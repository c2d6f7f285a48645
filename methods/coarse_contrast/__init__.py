"""A baseline: supervised contrast on coarse labels, each of many styles."""

from methods.coarse_contrast.coarse_contrast import CoarseContrast

__all__ = ["CoarseContrast"]
