"""The autoencoder between images and latents."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import ClassVar

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from stylekit.foundation.diffusers_loading import load_diffusers
from stylekit.foundation.foundation import Foundation
from stylekit.foundation.loading import forget_paths
from stylekit.foundation.locate import locate
from stylekit.seeding import drawing_from

__all__ = ["Vae", "VaeEncoder", "decode", "encode", "factor_of"]


class VaeEncoder(Foundation):
    """The half of an `AutoencoderKL` that encodes, for data that are encoded once and kept.

    Args:
        name_or_path: A shipped foundation (mini_vae), a folder, or a hub name.
        subfolder: Of a pipeline's folder or hub name, "vae".
        revision: Branch, tag or commit of a hub name.
    """

    def __init__(self, name_or_path: str, subfolder: str | None = None, revision: str | None = None) -> None:
        super().__init__()
        self.model = _read(name_or_path, subfolder, revision)
        del self.model.decoder

    def encode(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c h2 w2"]:
        """Encode as `Vae.encode` does."""
        return encode(self.model, images)


class Vae(Foundation):
    """An `AutoencoderKL`: images to latents of about unit variance, and back.

    Args:
        name_or_path: A shipped foundation (mini_vae), a folder, or a hub name.
        subfolder: Of a pipeline's folder or hub name, "vae".
        revision: Branch, tag or commit of a hub name.
        random_weights: Draw the weights of the decoder from `seed`; the encoder stays.
        seed: Used with `random_weights`.
    """

    beginning: ClassVar[frozenset[str]] = frozenset({"random_weights", "seed"})

    def __init__(
        self,
        name_or_path: str,
        subfolder: str | None = None,
        revision: str | None = None,
        random_weights: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = _read(name_or_path, subfolder, revision)
        if random_weights:
            with drawing_from(seed):
                self.model.decoder = AutoencoderKL.from_config(self.model.config).decoder
            self.model.requires_grad_(False).eval()

    @property
    def factor(self) -> int:
        """How many pixels a latent stands for, along a side."""
        return factor_of(self.model)

    def encode(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c h2 w2"]:
        """Encode images in [0, 1] as the mean of their latents, shifted and scaled as denoisers expect."""
        return encode(self.model, images)

    def decode(self, latents: Float[Tensor, "n c h2 w2"]) -> Float[Tensor, "n 3 h w"]:
        """Decode latents to images, in [0, 1] but for what the decoder overshoots."""
        return decode(self.model, latents)

    def save(self, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        """Write a folder that `AutoencoderKL.from_pretrained` and this class load."""
        deepcopy(self.model).to(dtype).save_pretrained(folder)
        forget_paths(folder)


def encode(model: AutoencoderKL, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c h2 w2"]:
    """Encode images in [0, 1] with an autoencoder as pipelines of diffusers hold them."""
    mean: Tensor = model.encode((images * 2.0 - 1.0).to(model.dtype)).latent_dist.mode()
    shift, factor = model.config.get("shift_factor") or 0.0, float(model.config.scaling_factor)
    return (mean.float() - shift) * factor


def decode(model: AutoencoderKL, latents: Float[Tensor, "n c h2 w2"]) -> Float[Tensor, "n 3 h w"]:
    """Decode latents to images, in [0, 1] but for what the decoder overshoots."""
    shift = model.config.get("shift_factor") or 0.0
    scaled = latents / model.config.scaling_factor + shift
    decoded: Tensor = model.decode(scaled.to(model.dtype)).sample
    return decoded.float() * 0.5 + 0.5


def factor_of(model: AutoencoderKL) -> int:
    """Return how many pixels a latent stands for, along a side."""
    return int(2 ** (len(model.config.block_out_channels) - 1))


def _read(name_or_path: str, subfolder: str | None, revision: str | None) -> AutoencoderKL:
    where = locate(name_or_path)
    model: AutoencoderKL = load_diffusers(
        AutoencoderKL, where, name_or_path, "mini_vae", subfolder=subfolder, revision=revision
    )
    return model.requires_grad_(False)
