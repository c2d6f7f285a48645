"""Paint scenes in styles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.atelier.canvas import prepare
from stylekit.atelier.layout import SceneMaps
from stylekit.atelier.media import PAINTERS
from stylekit.atelier.style import Style
from stylekit.atelier.texture import Dice, surface

__all__ = ["paint"]

_PIXELS_AT_ONCE = 64 * 64 * 64
_TEXTURE, _EXPOSURE = 8, 9


@torch.no_grad()
def paint(maps: SceneMaps, styles: Sequence[Style], seeds: Sequence[int]) -> Float[Tensor, "n 3 h w"]:
    """Paint each scene in its style, in [0, 1] and whole steps of 1/255.

    An image depends on its own scene, style and seed only, not on the others of the batch.
    """
    size = maps.shapes.shape[-1]
    step = max(1, _PIXELS_AT_ONCE // size**2)
    parts = [
        _paint(
            SceneMaps(*(field[at : at + step] for field in maps)),
            styles[at : at + step],
            seeds[at : at + step],
        )
        for at in range(0, len(styles), step)
    ]
    return torch.cat(parts) if parts else torch.zeros(0, 3, size, size)


def _paint(maps: SceneMaps, styles: Sequence[Style], seeds: Sequence[int]) -> Tensor:
    size = maps.shapes.shape[-1]
    canvas = prepare(maps, styles, seeds, [PAINTERS[style.medium].wobble for style in styles])
    images = torch.empty(len(styles), 3, size, size)
    groups: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for index, style in enumerate(styles):
        groups[style.medium, style.brushwork].append(index)
    for (medium, brushwork), members in groups.items():
        images[members] = PAINTERS[medium].paint(canvas.select(members, seeds), brushwork)
    relief = surface(
        [style.texture for style in styles],
        lambda members: Dice([seeds[index] for index in members], _TEXTURE),
        size,
    )
    images = images + relief * (0.45 + 0.75 * images)
    # exposure and white balance vary within a style, so that they do not identify it
    dice = Dice(seeds, _EXPOSURE)
    images = images * dice.number(0.87, 1.13) * (0.96 + 0.08 * dice.field(3, 1, 1))
    return (images.clamp(0, 1) * 255).round() / 255
