"""Relative depth from one image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from transformers import DepthAnythingForDepthEstimation

from stylekit.errors import ConfigError
from stylekit.foundation.foundation import Foundation
from stylekit.foundation.imagenet import check_side, standardized
from stylekit.foundation.loading import explained, load_model
from stylekit.foundation.locate import locate

__all__ = ["DepthAnything"]

_ROUNDING = 1e-5
"""What resizing makes of an even surface, as a share of it."""


class DepthAnything(Foundation):
    """A Depth Anything checkpoint (version 2: arXiv 2406.09414), in float32.

    Args:
        name_or_path: A folder or a hub name.
        revision: Branch, tag or commit of a hub name.
        image_size: Side of the square that it sees, a multiple of its patch.
    """

    def __init__(self, name_or_path: str, revision: str | None = None, image_size: int = 518) -> None:
        super().__init__()
        where = locate(name_or_path)
        with explained(name_or_path, where, None):
            self.model = load_model(DepthAnythingForDepthEstimation, where, revision, "Depth Anything")
        if self.model.config.depth_estimation_type != "relative":
            raise ConfigError(f"'{name_or_path}' measures metres; choose a checkpoint of relative depth.")
        self.model.requires_grad_(False).eval()
        self._side = check_side(image_size, int(self.model.config.patch_size))

    @property
    def image_size(self) -> int:
        """Side of the square that images are brought to, whatever their shape."""
        return self._side

    @torch.no_grad()
    def depth(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n h w"]:
        """Return how near each pixel of images in [0, 1] is, from 0 to 1 in each image: 1 is the nearest.

        Images are stretched to a square and the answer back. One without any depth is 0 all over.
        """
        found: Tensor = self.model(pixel_values=standardized(images, self._side)).predicted_depth
        size = tuple(images.shape[-2:])
        near = F.interpolate(found[:, None], size, mode="bilinear", antialias=True)[:, 0]
        least, most = near.amin((1, 2), keepdim=True), near.amax((1, 2), keepdim=True)
        span = most - least
        return torch.where(span > _ROUNDING * most.abs(), (near - least) / span, 0.0)
