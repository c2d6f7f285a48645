"""StyleGallery (arXiv 2603.10354): training-free, semantic-aware transfer from any references."""

from methods.stylegallery.stylegallery import StyleGallery

__all__ = ["StyleGallery"]
