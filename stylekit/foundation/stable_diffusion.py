"""Stable Diffusion: a convolutional network over latents, with attention to a CLIP text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diffusers import StableDiffusionPipeline
from jaxtyping import Float, Int
from torch import Tensor

from stylekit.foundation.generator import Condition
from stylekit.foundation.latents import LatentGenerator
from stylekit.foundation.scheduled import ScheduledGenerator
from stylekit.foundation.tokens import tokenize

__all__ = ["StableDiffusion"]


class StableDiffusion(LatentGenerator, ScheduledGenerator):
    """A `StableDiffusionPipeline` (SD 1.5 and its kind)."""

    pipeline_class = StableDiffusionPipeline
    mini = "mini_sd"
    denoiser_name = "unet"
    text_encoder: Any

    @property
    def image_size(self) -> int:
        """Side of the images that it was trained on."""
        return int(self.denoiser.config.sample_size * self.factor)

    def condition(self, prompts: Sequence[str]) -> Condition:
        """Read prompts with CLIP, a vector for each token."""
        tokens = tokenize(self.pipeline.tokenizer, prompts, self.text_encoder)
        return {"prompt_embeds": self.text_encoder(tokens.input_ids)[0]}

    def predict(
        self, noisy: Float[Tensor, "n c h w"], steps: Int[Tensor, " n"], condition: Condition
    ) -> Float[Tensor, "n c h w"]:
        """Return what the network predicts at latents of these steps of noise."""
        text = condition["prompt_embeds"]
        found: Tensor = self.denoiser(noisy.to(text.dtype), steps, text, return_dict=False)[0]
        return found

    def _sample(self, condition: Condition, guidance: float, **settings: Any) -> Tensor:
        images: Tensor = self.pipeline(
            prompt_embeds=condition["prompt_embeds"],
            negative_prompt_embeds=self._empty(condition)["prompt_embeds"],
            guidance_scale=guidance,
            **settings,
        ).images
        return images
