"""Pooled features of EfficientNet-Lite0 as a style encoder."""

from __future__ import annotations

from typing import final

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stylekit.foundation.efficientnet import EfficientNetLite0
from stylekit.method import StyleEncoder

__all__ = ["EfficientNetPooled"]


@final
class EfficientNetPooled(StyleEncoder):
    """The last features of EfficientNet-Lite0, averaged over places; training-free.

    Args:
        foundation: The network.
    """

    def __init__(self, foundation: EfficientNetLite0) -> None:
        super().__init__()
        self.foundation = foundation

    def embed(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        return F.normalize(self.foundation.pooled(images), dim=-1)
