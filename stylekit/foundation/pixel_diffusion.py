"""Diffusion in pixels: what commutes with rearranging them, as the latents of an autoencoder do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diffusers import IFPipeline
from jaxtyping import Float, Real
from torch import Tensor

from stylekit.foundation.generator import Condition
from stylekit.foundation.scheduled import ScheduledGenerator
from stylekit.foundation.tokens import encode_with_t5
from stylekit.resizing import resized

__all__ = ["PixelDiffusion"]

_MAX_LENGTH = 77  # of DeepFloyd IF


class PixelDiffusion(ScheduledGenerator):
    """The first stage of an `IFPipeline` (DeepFloyd IF and its kind).

    Its network predicts the noise and, in as many channels more, its variance, which training here leaves.
    """

    pipeline_class = IFPipeline
    mini = "mini_pixel"
    denoiser_name = "unet"
    text_encoder: Any

    @property
    def image_size(self) -> int:
        """Side of the images that it was trained on."""
        return int(self.denoiser.config.sample_size)

    def encode(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 h2 w2"]:
        """Bring images in [0, 1] to its own size, in [-1, 1]."""
        return resized(images, self.image_size, self.image_size) * 2.0 - 1.0

    def condition(self, prompts: Sequence[str]) -> Condition:
        """Read prompts with T5, a vector for each token."""
        states, _ = encode_with_t5(self.pipeline.tokenizer, self.text_encoder, prompts, _MAX_LENGTH)
        return {"prompt_embeds": states}

    def predict(
        self, noisy: Float[Tensor, "n 3 h w"], steps: Real[Tensor, " n"], condition: Condition
    ) -> Float[Tensor, "n 3 h w"]:
        """Return what the network predicts at images of these steps of noise."""
        text = condition["prompt_embeds"]
        found: Tensor = self.denoiser(noisy.to(text.dtype), steps, text, return_dict=False)[0]
        return found[:, : noisy.shape[1]]

    def _sample(self, condition: Condition, guidance: float, **settings: Any) -> Tensor:
        images: Tensor = self.pipeline(
            prompt_embeds=condition["prompt_embeds"],
            negative_prompt_embeds=self._empty(condition)["prompt_embeds"],
            guidance_scale=guidance,
            **settings,
        ).images
        return images
