"""FLUX: a transformer over text and image tokens, trained by flow matching."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from diffusers import FluxPipeline
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from jaxtyping import Float
from torch import Tensor

from stylekit.diffusion import draw_sigmas, interpolate, velocity
from stylekit.foundation.generator import Condition
from stylekit.foundation.latents import LatentGenerator
from stylekit.foundation.tokens import tokenize

__all__ = ["Flux"]

_MAX_LENGTH = 512  # of FLUX.1-dev


class Flux(LatentGenerator):
    """A `FluxPipeline` (FLUX.1-dev and its kind): pooled CLIP and T5 text, latents packed two by two.

    A transformer with `guidance_embeds` is told the guidance, as FLUX.1-dev; one without, as mini_flux, is
    guided by its answer to the empty prompt.
    """

    pipeline_class = FluxPipeline
    mini = "mini_flux"
    text_encoder_names: ClassVar[tuple[str, ...]] = ("text_encoder", "text_encoder_2")
    text_encoder: Any
    text_encoder_2: Any

    @property
    def image_size(self) -> int:
        """Side of the images that it was trained on."""
        return int(self.vae.config.sample_size)

    def shift(self, num_tokens: int) -> float:
        """Return the shift of the noise levels, as the scheduler samples images of so many tokens."""
        config = self.pipeline.scheduler.config
        if not config.use_dynamic_shifting:
            return float(config.shift)
        bounds = (config.base_image_seq_len, config.max_image_seq_len, config.base_shift, config.max_shift)
        return math.exp(calculate_shift(num_tokens, *bounds))

    def condition(self, prompts: Sequence[str]) -> Condition:
        """Read prompts with CLIP (one vector) and T5 (a vector for each token)."""
        clip = tokenize(self.pipeline.tokenizer, prompts, self.text_encoder)
        t5 = tokenize(self.pipeline.tokenizer_2, prompts, self.text_encoder_2, _MAX_LENGTH)
        return {  # FLUX attends to the padding, too
            "prompt_embeds": self.text_encoder_2(t5.input_ids)[0],
            "pooled_prompt_embeds": self.text_encoder(clip.input_ids).pooler_output,
        }

    def predict(
        self,
        latents: Float[Tensor, "n c h w"],
        sigmas: Float[Tensor, " n"],
        condition: Condition,
        guidance: float = 1.0,
    ) -> Float[Tensor, "n c h w"]:
        """Return the velocity at latents of these noise levels."""
        n, channels, height, width = latents.shape
        text = condition["prompt_embeds"]
        told = torch.full((n,), guidance, device=latents.device)
        packed = self.denoiser(
            hidden_states=FluxPipeline._pack_latents(latents, n, channels, height, width).to(text.dtype),
            timestep=sigmas.to(text.dtype),
            guidance=told if self.denoiser.config.guidance_embeds else None,
            pooled_projections=condition["pooled_prompt_embeds"],
            encoder_hidden_states=text,
            txt_ids=torch.zeros(text.shape[1], 3, device=text.device, dtype=text.dtype),
            img_ids=FluxPipeline._prepare_latent_image_ids(
                n, height // 2, width // 2, latents.device, text.dtype
            ),
            return_dict=False,
        )[0]
        unpacked: Tensor = FluxPipeline._unpack_latents(packed, height, width, 1)
        return unpacked

    def _predict_at_random(
        self, clean: Float[Tensor, "n c h w"], noise: Float[Tensor, "n c h w"], condition: Condition
    ) -> tuple[Float[Tensor, "n c h w"], Float[Tensor, "n c h w"]]:
        num_tokens = clean.shape[2] * clean.shape[3] // 4
        sigmas = draw_sigmas(len(clean), self.shift(num_tokens), clean.device)
        return self.predict(interpolate(clean, noise, sigmas), sigmas, condition), velocity(clean, noise)

    def _sample(self, condition: Condition, guidance: float, **settings: Any) -> Tensor:
        if self.denoiser.config.guidance_embeds:
            images: Tensor = self.pipeline(**condition, guidance_scale=guidance, **settings).images
            return images
        against = {f"negative_{name}": value for name, value in self._empty(condition).items()}
        guided: Tensor = self.pipeline(**condition, **against, true_cfg_scale=guidance, **settings).images
        return guided
