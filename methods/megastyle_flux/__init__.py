"""MegaStyle-FLUX (arXiv 2604.08364)."""

from methods.megastyle_flux.megastyle_flux import MegaStyleFlux

__all__ = ["MegaStyleFlux"]
