"""Stable Diffusion: a convolutional network over latents, with attention to a CLIP text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from diffusers import DDIMScheduler, LCMScheduler, StableDiffusionPipeline
from diffusers.utils import logging
from jaxtyping import Float, Real
from torch import Tensor

from stylekit.errors import ConfigError
from stylekit.foundation.generator import Condition, Dtype, Repertoire
from stylekit.foundation.latents import LatentGenerator
from stylekit.foundation.loading import quiet
from stylekit.foundation.lora import fuse_lora
from stylekit.foundation.quantized import Quantization
from stylekit.foundation.scheduled import ScheduledGenerator
from stylekit.foundation.tokens import tokenize

__all__ = ["StableDiffusion"]


Sampler = Literal["lcm", "ddim_trailing"]

_SAMPLERS: dict[Sampler, tuple[Any, dict[str, str]]] = {
    "lcm": (LCMScheduler, {}),
    "ddim_trailing": (DDIMScheduler, {"timestep_spacing": "trailing"}),
}


class StableDiffusion(LatentGenerator, ScheduledGenerator):
    """A `StableDiffusionPipeline` (SD 1.5 and its kind).

    Args:
        name_or_path: A shipped foundation, a folder, or a hub name.
        revision: Branch, tag or commit of a hub name.
        dtype: Of the weights in memory.
        random_weights: Draw the weights of denoiser and text encoders from `seed`; the autoencoder stays.
        seed: Used with `random_weights`.
        num_steps: Of sampling, unless `generate` is told otherwise.
        guidance: Of sampling, unless `generate` is told otherwise.
        repertoire: The words that it knows, if not all: prompts to `generate` are read into them, or refused.
        quantize: Keep the linear maps of denoiser and text encoders in so many bits; they cannot be trained.
        lora: What is fused into its weights, as LoRAs that make it sample in few steps are: a file, a folder,
            owner/name on the hub, or owner/name/file.
        lora_scale: How much of them.
        sampler: Sample with this scheduler instead of the pipeline's own; the noise schedule stays.
    """

    pipeline_class = StableDiffusionPipeline
    mini = "mini_sd"
    denoiser_name = "unet"
    text_encoder: Any

    def __init__(
        self,
        name_or_path: str,
        revision: str | None = None,
        dtype: Dtype = "float32",
        random_weights: bool = False,
        seed: int = 0,
        num_steps: int = 20,
        guidance: float = 3.0,
        repertoire: Repertoire | None = None,
        quantize: Quantization | None = None,
        lora: str | None = None,
        lora_scale: float = 1.0,
        sampler: Sampler | None = None,
    ) -> None:
        if lora is not None and quantize is not None:
            raise ConfigError("foundation.lora is fused into whole weights: leave out foundation.quantize.")
        super().__init__(
            name_or_path, revision, dtype, random_weights, seed, num_steps, guidance, repertoire, quantize
        )
        if sampler is not None:
            kind, settings = _SAMPLERS[sampler]
            with quiet(logging):
                own = kind.from_config(self.pipeline.scheduler.config, **settings)
            self.pipeline.register_modules(scheduler=own)
        if lora is not None:
            fuse_lora(self.pipeline, lora, lora_scale)
            self.requires_grad_(False).eval()

    @property
    def image_size(self) -> int:
        """Side of the images that it was trained on."""
        return int(self.denoiser.config.sample_size * self.factor)

    def condition(self, prompts: Sequence[str]) -> Condition:
        """Read prompts with CLIP, a vector for each token."""
        tokens = tokenize(self.pipeline.tokenizer, prompts, self.text_encoder)
        return {"prompt_embeds": self.text_encoder(tokens.input_ids)[0]}

    def predict(
        self, noisy: Float[Tensor, "n c h w"], steps: Real[Tensor, " n"], condition: Condition
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
