"""Typed batches: what a DataModule hands to a method."""

from __future__ import annotations

from typing import NamedTuple

from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["FilmBatch", "PairBatch", "SceneBatch", "StyleBatch"]


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
    latents: Float[Tensor, "n c u v"] | None = None
    """Of the images; where the data module encodes."""


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
    reference_latents: Float[Tensor, "n c u v"] | None = None
    """Of the references; where the data module encodes."""
    latents: Float[Tensor, "n c u v"] | None = None
    """Of the images; where the data module encodes."""
    conditions: dict[str, Tensor] | None = None
    """What text encoders gave for the content prompts; where the data module encodes those."""


class SceneBatch(NamedTuple):
    """Images of scenes with the truth of what is where, on a grid of square cells."""

    images: Float[Tensor, "n 3 h w"]
    """RGB in [0, 1]."""
    style_ids: Int[Tensor, " n"]
    """Integer label of the style; equal ids mean equal style prompts."""
    content_ids: Int[Tensor, " n"]
    """Integer label of the content; equal ids mean equal content prompts."""
    style_prompts: list[str]
    content_prompts: list[str]
    covering: Int[Tensor, "n g g"]
    """The thing that covers most of a cell, by its place in the repertoire; -1 for none."""
    instances: Int[Tensor, "n g g"]
    """Which of the things of the image that is, from back to front; -1 for none."""


class FilmBatch(NamedTuple):
    """Films labelled with their style and content."""

    films: Float[Tensor, "n t 3 h w"]
    """RGB in [0, 1]."""
    style_ids: Int[Tensor, " n"]
    """Integer label of the style; equal ids mean equal style prompts."""
    content_ids: Int[Tensor, " n"]
    """Integer label of the content; equal ids mean equal content prompts."""
    style_prompts: list[str]
    content_prompts: list[str]
    """What there is to be seen, and how it moves."""
    latents: Float[Tensor, "n t c u v"] | None = None
    """Of the frames; where the data module encodes."""

    @property
    def images(self) -> Float[Tensor, "n 3 h w"]:
        """The first frame of each film."""
        return self.films[:, 0]
