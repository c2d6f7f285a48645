"""Lay scenes out: from (scene, seed) to distance maps that a painter can paint in any style."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from stylekit.atelier.arrangement import Arrangement, arrange
from stylekit.atelier.backdrop import paint_backdrops
from stylekit.atelier.scene import MAX_INSTANCES, Scene
from stylekit.atelier.shapes import load_atlas, sample_shapes

__all__ = ["MAX_INSTANCES", "SceneMaps", "lay_out"]


class SceneMaps(NamedTuple):
    """Where everything is, at the size of the image; distances are in image widths, positive inside."""

    shapes: Float[Tensor, "n k 3 h w"]  # back to front; 0 silhouette, 1 tone, 2 line
    present: Bool[Tensor, "n k"]  # padding is False and has shapes == -1
    backdrop: Float[Tensor, "n 3 h w"]  # coverage, sums to 1: 0 far (sky, wall), 1 near (ground), 2 detail
    backdrop_line: Float[Tensor, "n h w"]  # positive on the border lines between the regions
    object_ids: Int[Tensor, "n k"]  # index into the vocabulary, -1 for padding


def lay_out(
    scenes: Sequence[Scene], seeds: Sequence[int], size: int, arrangement: Arrangement | None = None
) -> SceneMaps:
    """Rasterise scenes at 64 to 1024 pixels, each from its own scene and seed alone.

    The places of things do not depend on the size; those of a given arrangement stand as they are. At most
    four things an image, so k is always four.
    """
    found = arrange(scenes, seeds) if arrangement is None else arrangement
    ids = torch.from_numpy(found.indices)
    present = ids >= 0
    shapes = torch.full((len(scenes), MAX_INSTANCES, 3, size, size), -1.0)
    shapes[present] = _rasterise(found, size)
    numbers, horizons = torch.from_numpy(found.numbers).float(), torch.from_numpy(found.horizons).float()
    backdrop, backdrop_line = paint_backdrops([scene.setting for scene in scenes], numbers, horizons, size)
    return SceneMaps(shapes, present, backdrop, backdrop_line, ids)


def _rasterise(found: Arrangement, size: int) -> Float[Tensor, "m 3 h w"]:
    """Sample the shape of every thing that is there, turned, mirrored and scaled to its place."""
    here = found.indices >= 0
    indices = found.indices[here]
    boxes = load_atlas().boxes[indices]
    scale, cos, sin = found.scale[here], np.cos(found.angle[here]), np.sin(found.angle[here])
    mirror = found.mirror[here]
    columns = (
        found.x[here], found.y[here], cos / scale, sin / scale, mirror,
        (boxes[:, 0] + boxes[:, 2]) / 2, (boxes[:, 1] + boxes[:, 3]) / 2, scale,
    )  # fmt: skip
    x0, y0, cos_t, sin_t, flip, u0, v0, width = (
        torch.from_numpy(np.asarray(column)).float()[:, None, None] for column in columns
    )
    axis = (torch.arange(size) + 0.5) / size
    x, y = axis[None, None, :] - x0, axis[None, :, None] - y0
    u = (u0 + flip * cos_t * x) + flip * sin_t * y  # a row plus a column: one pass over the pixels
    v = (v0 + cos_t * y) - sin_t * x
    return sample_shapes(torch.from_numpy(indices), u, v).mul_(width[..., None])
