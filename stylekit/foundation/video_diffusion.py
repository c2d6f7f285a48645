"""Latte: a transformer over the latents of films, with blocks over space and blocks over time in turns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from diffusers import LattePipeline
from jaxtyping import Float, Real
from torch import Tensor, nn

from stylekit.foundation.generator import Condition, begin_at_zero
from stylekit.foundation.latents import LatentGenerator
from stylekit.foundation.scheduled import ScheduledGenerator
from stylekit.foundation.tokens import encode_with_t5

__all__ = ["VideoDiffusion"]

_MAX_LENGTH = 120  # of Latte


class VideoDiffusion(LatentGenerator, ScheduledGenerator):
    """A `LattePipeline` (Latte-1 and its kind)."""

    pipeline_class = LattePipeline
    mini = "mini_video"
    draws_films = True
    text_encoder: Any

    @property
    def image_size(self) -> int:
        """Side of the frames that it was trained on."""
        return int(self.denoiser.config.sample_size * self.factor)

    @property
    def num_frames(self) -> int:
        """Frames of the films that it was trained on."""
        return int(self.denoiser.config.video_length)

    @property
    def over_time(self) -> tuple[nn.Module, ...]:
        """The blocks that compare frames."""
        return (self.denoiser.temporal_transformer_blocks,)

    def condition(self, prompts: Sequence[str]) -> Condition:
        """Read prompts with T5, a vector for each token, zeros after the last."""
        states, is_word = encode_with_t5(self.pipeline.tokenizer, self.text_encoder, prompts, _MAX_LENGTH)
        return {"prompt_embeds": states * is_word.unsqueeze(-1)}

    def predict(
        self, noisy: Float[Tensor, "n t c h w"], steps: Real[Tensor, " n"], condition: Condition
    ) -> Float[Tensor, "n t c h w"]:
        """Return what the network predicts at films of these steps of noise; one of one frame is a still."""
        text = condition["prompt_embeds"]
        found: Tensor = self.denoiser(
            noisy.transpose(1, 2).to(text.dtype),
            timestep=steps,
            encoder_hidden_states=text,
            enable_temporal_attentions=noisy.shape[1] > 1,
            return_dict=False,
        )[0]
        return found[:, : noisy.shape[2]].transpose(1, 2)

    def _begin(self, denoiser: Any) -> None:
        """Let blocks over time begin by passing on what they are given (arXiv 2307.04725, section 4.2)."""
        for block in denoiser.temporal_transformer_blocks:
            begin_at_zero(block.attn1.to_out[0])
            begin_at_zero(block.ff.net[-1])

    def _sample(self, condition: Condition, guidance: float, **settings: Any) -> Tensor:
        frames: Tensor = self.pipeline(
            prompt_embeds=condition["prompt_embeds"],
            negative_prompt_embeds=self._empty(condition)["prompt_embeds"],
            negative_prompt=None,
            guidance_scale=guidance,
            video_length=self.num_frames,
            clean_caption=False,
            mask_feature=False,
            **settings,
        ).frames
        return frames
