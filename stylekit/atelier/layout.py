"""Lay scenes out: from (scene, seed) to distance maps that a painter can paint in any style."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from stylekit.atelier.scene import Scene

__all__ = ["MAX_INSTANCES", "SceneMaps", "lay_out"]

MAX_INSTANCES = 4


class SceneMaps(NamedTuple):
    """Where everything is, at the size of the image; distances are in image widths, positive inside."""

    shapes: Float[Tensor, "n k 3 h w"]  # back to front; 0 silhouette, 1 tone, 2 line
    present: Bool[Tensor, "n k"]  # padding is False and has shapes == -1
    backdrop: Float[
        Tensor, "n 3 h w"
    ]  # coverage, sums to 1: 0 far (sky, wall), 1 near (ground, table), 2 detail
    backdrop_line: Float[Tensor, "n h w"]  # positive on the border lines between the regions
    object_ids: Int[Tensor, "n k"]  # index into the vocabulary, -1 for padding


def lay_out(scenes: Sequence[Scene], seeds: Sequence[int], size: int) -> SceneMaps:
    """Rasterise scenes, each from its own seed alone."""
    n = len(scenes)
    axis = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    shapes = torch.full((n, MAX_INSTANCES, 3, size, size), -1.0)
    present = torch.zeros(n, MAX_INSTANCES, dtype=torch.bool)
    object_ids = torch.full((n, MAX_INSTANCES), -1)
    backdrop = torch.zeros(n, 3, size, size)
    backdrop_line = torch.zeros(n, size, size)
    for index, (scene, seed) in enumerate(zip(scenes, seeds, strict=True)):
        generator = torch.Generator().manual_seed(seed)
        num_instances = sum(thing.count for thing in scene.objects)
        for k in range(num_instances):
            centre = 0.3 + 0.4 * torch.rand(2, generator=generator)
            radius = 0.3 / num_instances**0.5
            distance = radius - torch.hypot(x - centre[0], y - centre[1])
            shapes[index, k, 0] = distance
            shapes[index, k, 1] = distance - radius / 2
            shapes[index, k, 2] = 0.015 - distance.abs()
            present[index, k] = True
            object_ids[index, k] = 0
        horizon = 0.55 + 0.1 * torch.rand((), generator=generator)
        near = ((y - horizon) * size + 0.5).clamp(0, 1)
        backdrop[index, 0], backdrop[index, 1] = 1 - near, near
        backdrop_line[index] = 0.006 - (y - horizon).abs()
    return SceneMaps(shapes, present, backdrop, backdrop_line, object_ids)
