"""The shapes of the vocabulary as signed distance fields, sampled anywhere at any scale."""

from __future__ import annotations

import io
import lzma
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

__all__ = ["ASSET", "REACH", "TILE", "ShapeAtlas", "encode", "load_atlas", "sample_shapes"]

ASSET = Path(__file__).with_name("shapes.npz.xz")
TILE = 128  # samples a side of one stored field
REACH = 0.125  # stored distances are clamped to this, in tile widths
_COLUMNS = 16  # tiles in a row of the atlas


class ShapeAtlas(NamedTuple):
    """All shapes in one texture, so that any mixture of them is sampled by one call."""

    texture: Float[Tensor, "1 3 height width"]  # in tile widths, positive inside; silhouette, tone, line
    boxes: NDArray[np.float64]  # (num_shapes, 4): left, top, right, bottom of the silhouette, in tile widths
    inner_boxes: NDArray[np.float64]  # (num_shapes, 4): the largest box within the silhouette


def encode(distances: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Quantise distances to bytes, finest at the edge."""
    unit = np.clip(distances / REACH, -1, 1)
    companded = np.sign(unit) * np.sqrt(np.abs(unit))
    return np.asarray(np.rint(companded * 127 + 128), np.uint8)


def _decode(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    table = (np.arange(256, dtype=np.float32) - 128) / 127
    return np.asarray((table * np.abs(table) * REACH)[levels], dtype=np.float32)


@cache
def load_atlas() -> ShapeAtlas:
    """Read the packaged shapes, once."""
    with lzma.open(ASSET) as stream, np.load(io.BytesIO(stream.read())) as asset:
        distances = _decode(asset["distances"])
        boxes = asset["boxes"].astype(np.float64)
        inner_boxes = asset["inner_boxes"].astype(np.float64)
    rows = -(-len(distances) // _COLUMNS)
    tiles = np.full((rows * _COLUMNS, *distances.shape[1:]), -REACH, np.float32)
    tiles[: len(distances)] = distances
    texture = tiles.reshape(rows, _COLUMNS, 3, TILE, TILE).transpose(2, 0, 3, 1, 4)
    texture = texture.reshape(1, 3, rows * TILE, _COLUMNS * TILE)
    return ShapeAtlas(torch.from_numpy(np.ascontiguousarray(texture)), boxes, inner_boxes)


def sample_shapes(
    indices: Int[Tensor, " m"], u: Float[Tensor, "m h w"], v: Float[Tensor, "m h w"]
) -> Float[Tensor, "m 3 h w"]:
    """Look shapes up at tile coordinates (u to the right, v down, the tile being [0, 1] both ways).

    Distances come back in tile widths; beyond the tile they go on falling.
    """
    texture = load_atlas().texture
    height, width = texture.shape[-2:]
    margin = 0.5 / TILE  # bilinear look-ups must not reach into the neighbouring tile
    u_inside, v_inside = u.clamp(margin, 1 - margin), v.clamp(margin, 1 - margin)
    column, row = (indices % _COLUMNS)[:, None, None], (indices // _COLUMNS)[:, None, None]
    grid = torch.empty(1, len(u) * u.shape[1], u.shape[2], 2)
    planes = grid.view(*u.shape, 2)
    torch.add(column * (2 * TILE / width) - 1, u_inside, alpha=2 * TILE / width, out=planes[..., 0])
    torch.add(row * (2 * TILE / height) - 1, v_inside, alpha=2 * TILE / height, out=planes[..., 1])
    sampled = functional.grid_sample(
        texture, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    sampled = sampled.view(3, *u.shape).transpose(0, 1)
    return sampled - torch.hypot(u_inside.sub_(u), v_inside.sub_(v))[:, None]
