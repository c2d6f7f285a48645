"""Statistics of EfficientNet-Lite0's early features as a style encoder."""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from methods.efficientnet_early.statistics import channel_statistics
from stylekit.foundation.efficientnet import EfficientNetLite0
from stylekit.method import StyleEncoder

__all__ = ["EfficientNetEarly"]


@final
class EfficientNetEarly(StyleEncoder):
    """Mean and deviation of each channel of the stem and the first three blocks; training-free.

    Each layer weighs the same: its statistics are brought to length one before they are put together.

    Args:
        foundation: The network.
    """

    def __init__(self, foundation: EfficientNetLite0) -> None:
        super().__init__()
        self.foundation = foundation

    def embed(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        layers = [F.normalize(channel_statistics(one), dim=-1) for one in self.foundation.early(images)]
        return F.normalize(torch.cat(layers, dim=-1), dim=-1)
