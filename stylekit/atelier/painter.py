"""Paint scenes in styles."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.atelier.canvas import luminance, over, prepare
from stylekit.atelier.layout import SceneMaps
from stylekit.atelier.media import PAINTERS
from stylekit.atelier.style import Style
from stylekit.atelier.surfaces import surface
from stylekit.atelier.texture import Dice

__all__ = ["paint"]

_TEXTURE, _EXPOSURE = 8, 9


@torch.no_grad()
def paint(maps: SceneMaps, styles: Sequence[Style], seeds: Sequence[int]) -> Float[Tensor, "n 3 h w"]:
    """Paint each scene in its style, in [0, 1] and whole steps of 1/255.

    An image depends on its own scene, style and seed only, not on the others of the batch.
    """
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
    return (_expose(images, Dice(seeds, _EXPOSURE)) * 255).round() / 255


def _expose(images: Tensor, dice: Dice) -> Tensor:
    """Vary exposure, contrast, saturation and white balance within a style: they must not identify it."""
    exposure, contrast, saturation = dice.number(0.86, 1.16), dice.number(0.82, 1.22), dice.number(0.78, 1.25)
    images = over(luminance(images), images, saturation)
    images = (images - 0.5) * contrast + 0.5
    return (images * exposure * (0.95 + 0.1 * dice.field(3, 1, 1))).clamp(0, 1)
