"""Networks that describe an image patch by patch."""

from __future__ import annotations

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor

from stylekit.foundation.foundation import Foundation

__all__ = ["PatchTower"]


class PatchTower(Foundation):
    """A frozen image network whose patches cover the whole image, so that a place in one is a place in both.

    CLIP is none: it cuts the middle out of an image first.
    """

    @property
    @abstractmethod
    def image_size(self) -> int:
        """Side of the square that images are brought to, whatever their shape."""

    @abstractmethod
    def patch_tokens(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n p d"]:
        """Describe the patches of images in [0, 1], row by row; as many rows as columns."""
