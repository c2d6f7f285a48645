"""Generators that denoise the latents of an autoencoder."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor

from stylekit.foundation.generator import Generator
from stylekit.foundation.vae import decode, encode, factor_of
from stylekit.resizing import resized

__all__ = ["LatentGenerator"]


class LatentGenerator(Generator):
    """A generator whose pipeline has an `AutoencoderKL`."""

    vae: Any

    @property
    def factor(self) -> int:
        """How many pixels a latent stands for, along a side."""
        return factor_of(self.vae)

    def sized(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 s s"]:
        """Stretch images to the square that it was trained on."""
        return resized(images, self.image_size, self.image_size)

    def encode(self, images: Float[Tensor, "n ... 3 h w"]) -> Float[Tensor, "n ... c h2 w2"]:
        """Encode images, or every frame of films, in [0, 1]."""
        frames = images.flatten(0, -4)
        latents = encode(self.vae, frames)
        return latents.reshape(*images.shape[:-3], *latents.shape[1:])

    def decode(self, latents: Float[Tensor, "n c h w"]) -> Float[Tensor, "n 3 h2 w2"]:
        """Decode latents to images, in [0, 1] but for what the decoder overshoots."""
        return decode(self.vae, latents)
