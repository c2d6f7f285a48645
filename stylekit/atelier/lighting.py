"""How light falls: a field from deep shadow to highlight for each word of the vocabulary."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.atelier.texture import Dice, coordinates, noise

__all__ = ["illuminate", "light_field"]


def light_field(words: Sequence[str], dice: Dice, form: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Light the picture and the forms in it; about as much shadow as highlight, so that no light is brighter.

    Args:
        words: The light of each image.
        dice: Random numbers.
        form: Signed distance to the edge of objects, positive inside.
    """
    size = form.shape[-1]
    x, y = coordinates(size)
    x, y = x - 0.5, y - 0.5
    inside = (form > 0).float()
    bulge = (form / 0.09).clamp(0, 1)
    slope = (1 - bulge) * inside
    right, down = _slopes(bulge * 0.09)
    drift = dice.number(-0.1, 0.1)
    fields = {
        "even": torch.zeros_like(form),
        "soft left": -1.1 * x + drift - 0.9 * slope * -right,
        "soft right": 1.1 * x + drift - 0.9 * slope * right,
        "overhead": -1.2 * y + drift + 0.9 * slope * down,
        "backlit rim": inside * (1.5 * (1 - form / 0.022).clamp(0, 1) - 0.65) + 0.15,
        "vignetted": 0.75 - 2.6 * ((x - drift) ** 2 + y**2).sqrt(),
        "dramatic side": (
            (x * 0.8 - y * 0.6 + drift) * -4.5 + 3.2 * slope * (right * 0.8 - down * 0.6)
        ).clamp(-1, 0.7),
    }
    if "dappled" in words:
        fields["dappled"] = ((noise(dice, size, 7) + 0.05) * 4).clamp(-0.8, 0.8) * 0.9
    return torch.stack([fields[word][index] for index, word in enumerate(words)]).clamp(-1, 1)


def illuminate(image: Float[Tensor, "n 3 h w"], light: Float[Tensor, "n 1 h w"]) -> Float[Tensor, "n 3 h w"]:
    """Darken colours in shadow and lighten them in highlights, keeping their order of lightness."""
    shade, shine = light.clamp(max=0), light.clamp(min=0)
    return image * (1 + 0.42 * shade) + (1 - image) * 0.26 * shine * (0.35 + image)


def _slopes(height: Float[Tensor, "n 1 h w"]) -> tuple[Tensor, Tensor]:
    """Return the derivatives of a height to the right and downwards, by central differences."""
    size = height.shape[-1]
    right = torch.zeros_like(height)
    down = torch.zeros_like(height)
    right[..., 1:-1] = (height[..., 2:] - height[..., :-2]) * (size / 2)
    down[..., 1:-1, :] = (height[..., 2:, :] - height[..., :-2, :]) * (size / 2)
    return right.clamp(-1, 1), down.clamp(-1, 1)
