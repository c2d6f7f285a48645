"""An autoencoder as it is, and how it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stylekit.batch import StyleBatch
from stylekit.bounds import NonNegative, bounded
from stylekit.errors import ConfigError
from stylekit.foundation.vae import Vae
from stylekit.method import Need, StyleRenderer

__all__ = ["Autoencoder"]


@final
class Autoencoder(StyleRenderer[None]):
    """A KL autoencoder (arXiv 2112.10752, section 3.1), trained on the squared error of its pixels.

    It renders a content image as it comes back from its latents, whatever the style: the bound of what a
    latent generator on it can show.

    With `train_encoder=False` only the decoder learns, and latents that were kept stay valid. No perceptual
    and no adversarial loss: the drawings have sharp edges, and both need a network to be downloaded.

    Args:
        foundation: The autoencoder.
        train_encoder: Let the encoder learn, too.
        kl_weight: Of the divergence from the standard normal, where the encoder learns.
    """

    stages: ClassVar[tuple[str, ...]] = ("reconstruct",)
    needs: ClassVar[frozenset[Need]] = frozenset({"content"})
    uses_seed: ClassVar[bool] = False
    uses_references: ClassVar[bool] = False

    @bounded
    def __init__(self, foundation: Vae, train_encoder: bool = False, kl_weight: NonNegative = 1e-6) -> None:
        super().__init__()
        self.foundation = foundation
        self.train_encoder = train_encoder
        self.kl_weight = kl_weight

    def enter(self, stage: str) -> None:
        self.foundation.requires_grad_(False)
        self.foundation.model.decoder.requires_grad_(True)
        if self.train_encoder:
            self.foundation.requires_grad_(True)

    def losses(self, batch: StyleBatch) -> dict[str, Tensor]:
        model = self.foundation.model
        images = batch.images * 2.0 - 1.0
        with torch.set_grad_enabled(self.train_encoder):
            latents = model.encode(images).latent_dist
        if not self.train_encoder:
            return {"reconstruction": F.mse_loss(model.decode(latents.mode()).sample.float(), images)}
        drawn = latents.mean + latents.std * torch.randn_like(latents.mean)
        return {
            "reconstruction": F.mse_loss(model.decode(drawn).sample.float(), images),
            "divergence": self.kl_weight * latents.kl().mean(),
        }

    def extract(self, references: Float[Tensor, "n 3 h w"]) -> None:
        return None

    def render(
        self,
        style: None,
        prompt: Sequence[str],
        content: Float[Tensor, "n 3 h2 w2"] | None,
        seed: Sequence[int],
    ) -> Float[Tensor, "n 3 h w"]:
        if content is None:
            raise ConfigError("An autoencoder renders content images; give some.")
        (height, width), factor = content.shape[-2:], self.foundation.factor
        whole = F.pad(content, (0, -width % factor, 0, -height % factor), mode="replicate")
        decoded = self.foundation.decode(self.foundation.encode(whole))
        return decoded[..., :height, :width].clamp(0.0, 1.0)
