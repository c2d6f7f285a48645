"""The colour histogram as a style encoder."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor

from methods.colour_histogram.histogram import colour_histogram
from stylekit.bounds import Positive, bounded
from stylekit.method import StyleEncoder

__all__ = ["ColourHistogram"]


@final
class ColourHistogram(StyleEncoder):
    """The share of pixels in each of 6 x 6 x 6 cells of RGB; training-free.

    The floor of every style benchmark: what it finds is found by colour alone, so a benchmark that it solves
    measures colour and not style.

    Args:
        bins_per_channel: Cells along each of red, green and blue.
    """

    @bounded
    def __init__(self, bins_per_channel: Positive = 6) -> None:
        super().__init__()
        self.bins_per_channel = bins_per_channel

    def embed(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        return colour_histogram(images, self.bins_per_channel)
