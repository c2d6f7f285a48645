"""From an image to its regions and what describes them (StyleGallery, stage 1)."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from methods.stylegallery.clustering import choose_clusters, mixing_weights, principal_parts
from methods.stylegallery.matching import Described, describe
from methods.stylegallery.regions import (
    absorb_islands,
    merge,
    nearest_labels,
    numbered,
    part_by_depth,
    part_by_place,
)
from stylekit.diffusion import invert, leading_steps
from stylekit.errors import ConfigError
from stylekit.foundation.attention import attention_for
from stylekit.foundation.depth import DepthAnything
from stylekit.foundation.patch_tower import PatchTower
from stylekit.foundation.stable_diffusion import StableDiffusion
from stylekit.foundation.unprompted import Unprompted

__all__ = ["Onlooker", "Partition", "Sight"]

_SIGHTS = 64
_AT_ONCE = 8
"""Images walked to noise in one pass."""


class Partition(NamedTuple):
    """How an image is taken apart; see StyleGallery."""

    num_parts: int
    min_clusters: int
    max_clusters: int
    merge_reach: float
    depth_span: float
    min_cells: int
    connected: bool
    seed: int


class Sight(NamedTuple):
    """What is found in an image."""

    latents: Float[Tensor, "c h w"]
    noisy: Float[Tensor, "c h w"]
    """The latents at the end of the inversion."""
    labels: Int[Tensor, "h w"]
    """The region of each cell, from 1; 0 for none."""
    described: Described


class Onlooker:
    """Takes images apart.

    Args:
        foundation: Whose features are clustered.
        semantics: Whose tokens say what is where.
        depth: Sees how far away things are; None for no guard of depth.
        network: Lets the cells of a region see one another, for their statistics.
        feature_block: Part of the denoiser whose output are the features.
        num_steps: Of the inversion.
        partition: How the image is taken apart.
    """

    def __init__(
        self,
        foundation: StableDiffusion,
        semantics: PatchTower,
        depth: DepthAnything | None,
        network: nn.Module,
        feature_block: str,
        num_steps: int,
        partition: Partition,
    ) -> None:
        self.foundation, self.semantics, self.depth, self.network = foundation, semantics, depth, network
        self.feature_block = foundation.denoiser.get_submodule(feature_block)
        self.num_steps, self.partition = num_steps, partition
        self._kept: OrderedDict[str, list[Sight]] = OrderedDict()

    def look(
        self, images: Float[Tensor, "n 3 s s"], masks: Sequence[Int[Tensor, "h w"] | None]
    ) -> list[Sight]:
        """Find the regions of images, or take those of their masks, and describe them; the last are kept.

        Images that are looked at together are kept together: the last bits depend on one another.
        """
        parts = [images, *masks]
        shown = [b"" if part is None else part.cpu().numpy().tobytes() for part in parts]
        key = f"{[hashlib.sha256(part).hexdigest() for part in shown]} {images.device}"
        if key not in self._kept:
            while self._kept and sum(map(len, self._kept.values())) + len(images) > _SIGHTS:
                self._kept.popitem(last=False)
            self._kept[key] = [
                sight
                for start in range(0, len(images), _AT_ONCE)
                for sight in self._look(images[start : start + _AT_ONCE], masks[start : start + _AT_ONCE])
            ]
        self._kept.move_to_end(key)
        return self._kept[key]

    def _look(self, images: Float[Tensor, "n 3 s s"], masks: Sequence[Tensor | None]) -> list[Sight]:
        latents = self.foundation.encode(images)
        noisy, features = self._features(latents)
        tokens = self.semantics.patch_tokens(images).float()
        side = math.isqrt(tokens.shape[1])
        tokens = tokens.view(len(tokens), side, side, -1)
        size = (int(features.shape[2]), int(features.shape[3]))
        found = []
        for index, mask in enumerate(masks):
            if mask is None:
                labels = self._part(features[index], latents[index], images[index])
            else:
                labels = _on_grid(mask, size).to(images.device)
            described = describe(labels, features[index], tokens[index], self.network)
            found.append(Sight(latents[index], noisy[index], labels, described))
        return found

    def _features(self, latents: Float[Tensor, "n c h w"]) -> tuple[Tensor, Float[Tensor, "n d h w"]]:
        """Walk to noise; return where that ends, and the features on the way, averaged by their weights."""
        unprompted = Unprompted(self.foundation, ())
        weights = iter(mixing_weights(self.num_steps).tolist())
        mixed: list[Tensor] = []

        def mix(module: nn.Module, inputs: object, output: Tensor) -> None:
            share = next(weights) * output.float()
            mixed[:] = [mixed[0].add_(share) if mixed else share]

        hook = self.feature_block.register_forward_hook(mix)
        scheduler = self.foundation.pipeline.scheduler
        steps = leading_steps(self.num_steps, self.foundation.num_train_steps)
        try:
            with attention_for(latents.device, self.foundation.image_size):
                *_, noisy = invert(scheduler, unprompted.predict, latents, steps)
        finally:
            hook.remove()
        return noisy, mixed[0]

    def _part(
        self, features: Float[Tensor, "d h w"], latents: Float[Tensor, "c h2 w2"], image: Tensor
    ) -> Int[Tensor, "h w"]:
        how, size = self.partition, features.shape[1:]
        parts = principal_parts(features.flatten(1).mT, how.num_parts)
        labels = 1 + choose_clusters(parts, how.min_clusters, how.max_clusters, how.seed).view(size)
        colours = F.interpolate(latents[None].float(), size, mode="nearest")[0]
        labels = merge(labels, colours, how.merge_reach)
        if self.depth is not None:
            depth = F.interpolate(self.depth.depth(image[None])[:, None], size, mode="nearest")[0, 0]
            depth = (depth - depth.min()) / (depth.max() - depth.min()).clamp_min(1e-6)
            labels = part_by_depth(labels, colours, depth, how.depth_span, how.min_cells, how.seed)
        labels = absorb_islands(labels, how.min_cells)
        return part_by_place(labels) if how.connected else labels


def _on_grid(mask: Int[Tensor, "h w"], size: tuple[int, int]) -> Int[Tensor, "h2 w2"]:
    """Bring a mask of regions to the grid of cells, where none of them may get lost."""
    (nearest,) = nearest_labels(mask[None], size)
    lost = sorted(set(mask.flatten().tolist()) - set(nearest.flatten().tolist()) - {0})
    if lost:
        raise ConfigError(
            f"On the grid of {size[0]} x {size[1]} cells nothing is left of colours {lost} of a mask (1 is "
            "the first that appears): paint these regions larger, or leave them black."
        )
    return numbered(nearest)
