"""Wan: a transformer over the latents of films, with attention over space and time at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diffusers import AutoencoderKLWan, WanPipeline
from jaxtyping import Float
from torch import Tensor

from stylekit.diffusion import Levels, draw_sigmas, flow_levels
from stylekit.foundation.diffusers_loading import load_diffusers
from stylekit.foundation.generator import Condition, Dtype, Generator
from stylekit.foundation.locate import locate
from stylekit.foundation.tokens import tokenize

__all__ = ["Wan"]

_MAX_LENGTH = 512  # of Wan2.1


class Wan(Generator):
    """A `WanPipeline` (Wan2.1-T2V-1.3B and its kind); its autoencoder stays in float32.

    Args:
        name_or_path: A folder or a hub name.
        revision: Branch, tag or commit of a hub name.
        dtype: Of the weights in memory.
        random_weights: Draw the weights of denoiser and text encoder from `seed`; the autoencoder stays.
        seed: Used with `random_weights`.
        num_steps: Of sampling, unless `generate` is told otherwise.
        guidance: Of sampling, unless `generate` is told otherwise.
        num_frames: Of the films that are generated; one more than a multiple of four.
        image_size: Side of the films that are generated.
    """

    pipeline_class = WanPipeline
    mini = "mini_video"
    draws_films = True

    def __init__(
        self,
        name_or_path: str,
        revision: str | None = None,
        dtype: Dtype = "float32",
        random_weights: bool = False,
        seed: int = 0,
        num_steps: int = 50,
        guidance: float = 5.0,
        num_frames: int = 81,
        image_size: int = 480,
    ) -> None:
        super().__init__(name_or_path, revision, dtype, random_weights, seed, num_steps, guidance)
        self.num_frames, self._image_size = num_frames, image_size
        if dtype != "float32":
            where = locate(name_or_path)
            vae = load_diffusers(
                AutoencoderKLWan, where, name_or_path, self.mini, subfolder="vae", revision=revision
            )
            self.vae = vae.requires_grad_(False)
            self.pipeline.register_modules(vae=vae)

    @property
    def image_size(self) -> int:
        """Side of the films that are generated."""
        return self._image_size

    @property
    def shift(self) -> float:
        """Of the noise levels, as the scheduler samples them."""
        config = self.pipeline.scheduler.config
        return float(config.get("flow_shift") or config.get("shift") or 1.0)

    def encode(self, images: Float[Tensor, "n t 3 h w"]) -> Float[Tensor, "n t2 c h2 w2"]:
        """Map films in [0, 1] to normalised latents; four frames after the first become one."""
        latents = self.vae.encode(images.transpose(1, 2) * 2.0 - 1.0).latent_dist.mode()
        config = self.vae.config
        mean = latents.new_tensor(config.latents_mean).view(1, -1, 1, 1, 1)
        std = latents.new_tensor(config.latents_std).view(1, -1, 1, 1, 1)
        normal: Tensor = (latents - mean) / std
        return normal.transpose(1, 2)

    def condition(self, prompts: Sequence[str]) -> Condition:
        """Read prompts with umT5, a vector for each token, zeros after the last."""
        (encoder,) = self.text_encoders
        tokens = tokenize(self.pipeline.tokenizer, prompts, encoder, _MAX_LENGTH)
        states: Tensor = encoder(tokens.input_ids, attention_mask=tokens.attention_mask)[0]
        return {"prompt_embeds": states * tokens.attention_mask.unsqueeze(-1)}

    def predict(
        self, latents: Float[Tensor, "n t c h w"], sigmas: Float[Tensor, " n"], condition: Condition
    ) -> Float[Tensor, "n t c h w"]:
        """Return the velocity at latents of these noise levels."""
        text = condition["prompt_embeds"]
        found: Tensor = self.denoiser(
            hidden_states=latents.transpose(1, 2).to(text.dtype),
            timestep=sigmas * self.pipeline.scheduler.config.num_train_timesteps,
            encoder_hidden_states=text,
            return_dict=False,
        )[0]
        return found.transpose(1, 2)

    def draw_levels(self, clean: Float[Tensor, "n t c h w"]) -> Levels:
        """Draw a noise level for each film, shifted as its scheduler samples them."""
        return flow_levels(draw_sigmas(len(clean), self.shift, clean.device))

    def _sample(self, condition: Condition, guidance: float, **settings: Any) -> Tensor:
        frames: Tensor = self.pipeline(
            prompt_embeds=condition["prompt_embeds"],
            negative_prompt_embeds=self._empty(condition)["prompt_embeds"],
            guidance_scale=guidance,
            num_frames=self.num_frames,
            **settings,
        ).frames
        return frames
