"""Which pixel of a drawn scene shows what."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from stylekit.atelier import Scene, SceneMaps, lay_out
from stylekit.atelier.vocabulary import index_of

__all__ = ["FIRST_KIND", "kind_masks", "true_regions", "true_regions_of"]

FIRST_KIND = 3
"""Numbers below are parts of the backdrop: far (sky, wall), near (ground), detail."""


def true_regions(maps: SceneMaps) -> Int[Tensor, "n h w"]:
    """Number what each pixel shows: a part of the backdrop, or the kind of the foremost thing there.

    Things of one kind are one region, wherever they stand: a region is of what it shows. Edges are those of
    the layout; a medium's hand strays from them by a pixel or so.
    """
    found = maps.backdrop.argmax(1)
    for place in range(maps.shapes.shape[1]):
        inside = (maps.shapes[:, place, 0] > 0) & maps.present[:, place, None, None]
        found = torch.where(inside, FIRST_KIND + maps.object_ids[:, place, None, None], found)
    return found


def true_regions_of(scenes: Sequence[Scene], seeds: Sequence[int], size: int) -> Int[Tensor, "n h w"]:
    """Number what each pixel shows where these scenes are drawn with these seeds."""
    return true_regions(lay_out(scenes, seeds, size))


def kind_masks(regions: Int[Tensor, "*n h w"], kind: str) -> Bool[Tensor, "*n h w"]:
    """Mark where things of a kind are seen."""
    return regions == FIRST_KIND + index_of(kind)
