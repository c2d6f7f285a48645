"""FLUX: a transformer over text and image tokens, trained by flow matching."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
from diffusers import FluxPipeline
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from jaxtyping import Float
from torch import Tensor, nn

from stylekit.diffusion import Levels, draw_sigmas, flow_levels
from stylekit.foundation.diffusers_loading import load_pipeline
from stylekit.foundation.foundation import Foundation
from stylekit.foundation.generator import Condition, Dtype, begin_at_zero
from stylekit.foundation.latents import LatentGenerator
from stylekit.foundation.locate import locate
from stylekit.foundation.tokens import tokenize

__all__ = ["Beside", "Flux", "FluxPrompts"]

_MAX_LENGTH = 512  # of FLUX.1-dev
_ZERO_AT_FIRST = ("norm.linear", "norm1.linear", "norm1_context.linear", "norm_out.linear")


class Beside(NamedTuple):
    """Latents that a transformer attends to beside those that it denoises."""

    latents: Float[Tensor, "n c h w"]
    shift: int
    """By how many columns of tokens they lie to the right of where they would."""


class Flux(LatentGenerator):
    """A `FluxPipeline` (FLUX.1-dev and its kind): pooled CLIP and T5 text, latents packed two by two.

    A transformer with `guidance_embeds` is told the guidance, as FLUX.1-dev; one without, as mini_flux, is
    guided by its answer to the empty prompt.
    """

    pipeline_class = FluxPipeline
    mini = "mini_flux"
    can_be_compiled = True
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
        return _condition(self.pipeline, prompts)

    def predict(
        self,
        latents: Float[Tensor, "n c h w"],
        sigmas: Float[Tensor, " n"],
        condition: Condition,
        guidance: float = 1.0,
        beside: Sequence[Beside] = (),
    ) -> Float[Tensor, "n c h w"]:
        """Return the velocity at latents of these noise levels.

        Args:
            latents: What is denoised.
            sigmas: Noise levels in [0, 1].
            condition: What the text encoders gave.
            guidance: What a transformer with `guidance_embeds` is told.
            beside: Further latents that are attended to, each at a place of its own.
        """
        (n, _, height, width), text = latents.shape, condition["prompt_embeds"].to(self.vae.dtype)
        seen = [Beside(latents, 0), *beside]
        told = torch.full((n,), guidance, device=latents.device)
        answer = self.denoiser(
            hidden_states=torch.cat([_pack(one.latents) for one in seen], 1).to(text.dtype),
            timestep=sigmas.to(text.dtype),
            guidance=told if self.denoiser.config.guidance_embeds else None,
            pooled_projections=condition["pooled_prompt_embeds"].to(text.dtype),
            encoder_hidden_states=text,
            txt_ids=torch.zeros(text.shape[1], 3, device=text.device),
            img_ids=torch.cat([_places(one) for one in seen]),
            return_dict=False,
        )[0]
        unpacked: Tensor = FluxPipeline._unpack_latents(
            answer[:, : height * width // 4], height, width, vae_scale_factor=1
        )
        return unpacked

    def draw_levels(self, clean: Float[Tensor, "n c h w"]) -> Levels:
        """Draw a noise level for each image, shifted as its scheduler samples images of that size."""
        num_tokens = clean.shape[2] * clean.shape[3] // 4
        return flow_levels(draw_sigmas(len(clean), self.shift(num_tokens), clean.device))

    def _begin(self, denoiser: nn.Module) -> None:
        """Let every block begin by passing on what it is given, and the answer be 0 (arXiv 2212.09748)."""
        for name, module in denoiser.named_modules():
            if isinstance(module, nn.Linear) and (name == "proj_out" or name.endswith(_ZERO_AT_FIRST)):
                begin_at_zero(module)

    def _sample(self, condition: Condition, guidance: float, **settings: Any) -> Tensor:
        if self.denoiser.config.guidance_embeds:
            images: Tensor = self.pipeline(**condition, guidance_scale=guidance, **settings).images
            return images
        against = {f"negative_{name}": value for name, value in self._empty(condition).items()}
        guided: Tensor = self.pipeline(**condition, **against, true_cfg_scale=guidance, **settings).images
        return guided


class FluxPrompts(Foundation):
    """The text encoders of a `FluxPipeline` alone, for prompts that are read once and kept.

    They must be those of the foundation that is trained on what is kept.

    Args:
        name_or_path: A shipped foundation, a folder, or a hub name.
        revision: Branch, tag or commit of a hub name.
        dtype: Of the weights in memory, and of what is kept.
    """

    def __init__(self, name_or_path: str, revision: str | None = None, dtype: Dtype = "float32") -> None:
        super().__init__()
        where, without = locate(name_or_path), dict.fromkeys(("transformer", "vae"))
        self.pipeline = load_pipeline(
            FluxPipeline, where, name_or_path, Flux.mini, revision, getattr(torch, dtype), without
        )
        self.text_encoder, self.text_encoder_2 = self.pipeline.text_encoder, self.pipeline.text_encoder_2
        self.requires_grad_(False).eval()

    @property
    def reads_with(self) -> str:
        """A digest of both tokenizers."""
        parts = hashlib.sha256()
        for tokenizer in (self.pipeline.tokenizer, self.pipeline.tokenizer_2):
            parts.update(repr((sorted(tokenizer.get_vocab().items()), tokenizer.model_max_length)).encode())
        return parts.hexdigest()[:16]

    def condition(self, prompts: Sequence[str]) -> Condition:
        """Read prompts as `Flux.condition` does."""
        return _condition(self.pipeline, prompts)


def _condition(pipeline: Any, prompts: Sequence[str]) -> Condition:
    clip = tokenize(pipeline.tokenizer, prompts, pipeline.text_encoder)
    t5 = tokenize(pipeline.tokenizer_2, prompts, pipeline.text_encoder_2, _MAX_LENGTH)
    return {  # FLUX attends to the padding, too
        "prompt_embeds": pipeline.text_encoder_2(t5.input_ids)[0],
        "pooled_prompt_embeds": pipeline.text_encoder(clip.input_ids).pooler_output,
    }


def _pack(latents: Float[Tensor, "n c h w"]) -> Float[Tensor, "n t d"]:
    packed: Tensor = FluxPipeline._pack_latents(latents, *latents.shape)
    return packed


def _places(seen: Beside) -> Float[Tensor, "t 3"]:
    """Return time, row and column of each token, in float32: bfloat16 is exact up to 256 only."""
    n, _, height, width = seen.latents.shape
    places: Tensor = FluxPipeline._prepare_latent_image_ids(
        n, height // 2, width // 2, seen.latents.device, torch.float32
    )
    places[:, 2] += seen.shift
    return places
