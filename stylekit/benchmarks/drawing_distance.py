"""How far images are from held-out drawings as a set, and from one another."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

from stylekit.benchmarks.benchmark import Scores
from stylekit.benchmarks.prompt_board import draw_references
from stylekit.errors import MissingError
from stylekit.foundation.efficientnet import EfficientNetLite0
from stylekit.metrics import art_frechet_values, frechet_values, kernel_values

__all__ = ["DistanceNetwork", "DrawingDistance", "load_network"]

DistanceNetwork = Literal["efficientnet_lite0"]


class DrawingDistance:
    """FID and KID to held-out drawings, under the pooled features of a network.

    Args:
        name: Of the network; ends the names of the scores.
        num_drawings: That are compared with.
        seed: Of the drawings.
        image_size: Their side in pixels.
    """

    def __init__(self, name: DistanceNetwork, num_drawings: int, seed: int, image_size: int) -> None:
        self.name = name
        self.num_drawings, self.seed, self.image_size = num_drawings, seed, image_size
        self._network: EfficientNetLite0 | None = None
        self._device = torch.device("cpu")
        self._drawings: Tensor | None = None

    def load(self, device: torch.device) -> None:
        """Bring the network to a device. To be called before hours of rendering: it may be missing."""
        self._network = (self._network or load_network()).to(device)
        self._device = device

    @torch.no_grad()
    def features(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Return the pooled features, in main memory."""
        assert self._network is not None, "load(device) comes before"
        return self._network.pooled(images.to(self._device)).float().cpu()

    def scores(self, features: Float[Tensor, "n d"], blocks: Int[Tensor, " n"]) -> dict[str, Scores]:
        """Spread the distances of a set of images over its blocks, which are prompts or styles."""
        clusters: list[int] = torch.unique(blocks).tolist()
        frechet = frechet_values(features, self.drawings, blocks)
        kernel = kernel_values(features, self.drawings, blocks)
        return {
            f"fid_{self.name}": Scores(frechet, clusters, "lower", "fid"),
            f"kid_{self.name}": Scores(kernel, clusters, "lower", "kid"),
        }

    def art_scores(
        self,
        features: Float[Tensor, "n d"],
        content: Float[Tensor, " n"],
        blocks: Int[Tensor, " n"],
    ) -> Scores:
        """Spread the product of ArtFID, of these content distances and of FID, over blocks."""
        clusters: list[int] = torch.unique(blocks).tolist()
        return Scores(art_frechet_values(features, self.drawings, content, blocks), clusters, "lower", "fid")

    @property
    def drawings(self) -> Float[Tensor, "m d"]:
        """Features of the drawings, computed once."""
        if self._drawings is None:
            parts = draw_references(self.num_drawings, self.seed, self.image_size)
            self._drawings = torch.cat([self.features(part) for part in parts])
        return self._drawings


def load_network() -> EfficientNetLite0:
    """Load the network of a benchmark; where it is missing, say how to do without."""
    try:
        return EfficientNetLite0()
    except MissingError as error:
        raise MissingError(f"{error} Or leave it out: benchmark.distance_network=null.") from None
