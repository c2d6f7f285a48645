"""What reads images, and which frames of a film it is shown."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.reading import Reading

__all__ = ["SceneJudge", "judged_frames"]


@runtime_checkable
class SceneJudge(Protocol):
    """What reads images: an `AtelierJudge`, say."""

    def read(self, images: Float[Tensor, "n 3 h w"]) -> Reading:
        """Read images in [0, 1]."""


def judged_frames(
    images: Float[Tensor, "n 3 h w"] | Float[Tensor, "n t 3 h w"], num_frames: int
) -> Float[Tensor, "n f 3 h w"]:
    """Take a few frames of each film, evenly spread; an image is a film of one."""
    films = images if images.ndim == 5 else images[:, None]
    length = films.shape[1]
    if length <= num_frames:
        return films
    return films[:, torch.linspace(0, length - 1, num_frames).round().long()]
