"""Typed batches: what a DataModule hands to a method."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["PairBatch", "StyleBatch"]


class StyleBatch(NamedTuple):
    """Images labelled with their style and content."""

    images: Float[Tensor, "n 3 h w"]
    """RGB in [0, 1]."""
    style_ids: Int[Tensor, " n"]
    """Integer label of the style; equal ids mean equal style prompts."""
    content_ids: Int[Tensor, " n"]
    """Integer label of the content; equal ids mean equal content prompts."""
    style_prompts: list[str]
    content_prompts: list[str]


class PairBatch(NamedTuple):
    """Two different images of one style in each row."""

    references: Float[Tensor, "n 3 h w"]
    """RGB in [0, 1]; the image given for its style."""
    images: Float[Tensor, "n 3 h w"]
    """RGB in [0, 1]; the image to be produced."""
    style_ids: Int[Tensor, " n"]
    style_prompts: list[str]
    content_prompts: list[str]
    """What the images (not the references) show."""
