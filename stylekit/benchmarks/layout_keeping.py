"""How much of the layout of content images is left in what was made of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.errors import ConfigError
from stylekit.foundation.patch_tower import PatchTower
from stylekit.metrics import structure
from stylekit.weights_digest import weights_digest

__all__ = ["LayoutKeeping"]


class LayoutKeeping:
    """Scores images by the self-similarity of their patches, held against that of their content images.

    Args:
        make: Builds the tower that describes patches.
        device: Where it works.
    """

    def __init__(self, make: Callable[[], PatchTower], device: torch.device) -> None:
        tower = make()
        if not isinstance(tower, PatchTower):
            raise ConfigError(f"benchmark.tower must build a PatchTower, and {type(tower).__name__} is none.")
        self.tower = tower.to(device).eval()
        self.device = device
        self.digest = weights_digest(tower)

    @torch.no_grad()
    def __call__(
        self, images: Float[Tensor, "n 3 h w"], contents: Float[Tensor, "n 3 h2 w2"]
    ) -> Float[Tensor, " n"]:
        """Return `structure` of each image and its content image; they may differ in size."""
        tokens, others = (self.tower.patch_tokens(one.to(self.device)).float() for one in (images, contents))
        return structure(tokens, others).double().cpu()
