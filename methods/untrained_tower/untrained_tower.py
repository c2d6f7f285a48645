"""A tower of random weights as a style encoder."""

from __future__ import annotations

from typing import final

from jaxtyping import Float
from torch import Tensor

from stylekit.foundation.siglip import Siglip
from stylekit.method import StyleEncoder

__all__ = ["UntrainedTower"]


@final
class UntrainedTower(StyleEncoder):
    """The image tower of a foundation, its weights drawn at random; training-free.

    What it retrieves, an encoder gets from its architecture alone.

    Args:
        foundation: Gives the architecture.
        seed: Of the weights.
    """

    def __init__(self, foundation: Siglip, seed: int = 0) -> None:
        super().__init__()
        foundation.draw_weights(seed)
        self.foundation = foundation

    def embed(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        return self.foundation.embed_images(images)
