"""A content image denoised anew with the attention of a style (StyleID, arXiv 2312.09008)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from methods.style_id.injection import adapt_statistics, inject
from stylekit.bounds import AboveZero, Positive, Probability, bounded
from stylekit.diffusion import Recorder, attending, invert, leading_steps, sample, self_attention_layers
from stylekit.errors import ConfigError
from stylekit.foundation.attention import attention_for
from stylekit.foundation.stable_diffusion import StableDiffusion
from stylekit.foundation.unprompted import AttentionAtSteps, Unprompted, take_keys_and_values
from stylekit.method import Need, StyleRenderer

__all__ = ["StyleID"]


@final
class StyleID(StyleRenderer[Float[Tensor, "s r c u v"]]):
    """StyleID (CVPR 2024, arXiv 2312.09008), style injection in diffusion; training-free.

    Content and style are inverted to noise by DDIM. The content's noise takes the mean and the deviation of
    each channel of the style's, and is denoised again; meanwhile the last layers of self-attention look at
    the keys and values that the style had at the same step of its inversion, with queries mixed from their
    own and the content's. Its style is the way of the references to noise, from which their keys and values
    come at each step.

    Deviations: keys and values of several references are concatenated, and the statistics of their noise
    averaged (the authors have one); injection from the first step on, as the paper says and the authors'
    diffusers code does (their first code leaves out the noisiest of 50); images are stretched to the
    foundation's square (the authors cut squares); one image at a time, so that none depends on the others.

    Args:
        foundation: The generator, told nothing.
        gamma: How much of the queries is the content's; less takes more of the style.
        temperature: Multiplies what softmax sees.
        num_steps: Of inversion and sampling.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"content"})
    uses_seed: ClassVar[bool] = False
    renders_together: ClassVar[bool] = False

    @bounded
    def __init__(
        self,
        foundation: StableDiffusion,
        gamma: Probability = 0.75,
        temperature: AboveZero = 1.5,
        num_steps: Positive = 50,
    ) -> None:
        super().__init__()
        self.foundation, self.gamma, self.temperature = foundation, gamma, temperature
        # Of SD 1.5 those of the authors' output blocks 6 to 11.
        self.layers = self_attention_layers(foundation.denoiser, ("up_blocks.2", "up_blocks.3"))
        self.steps = leading_steps(num_steps, foundation.num_train_steps)

    @torch.no_grad()
    def extract(self, references: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "s r c u v"]:
        with attention_for(references.device, self.foundation.image_size):
            predict = Unprompted(self.foundation, self.layers).predict
            clean = self.foundation.encode(self.foundation.sized(references))
            return torch.stack(
                [clean, *invert(self.foundation.pipeline.scheduler, predict, clean, self.steps)]
            )

    @torch.no_grad()
    def render(
        self,
        style: Float[Tensor, "s r c u v"],
        prompt: Sequence[str],
        content: Float[Tensor, "n 3 h2 w2"] | None,
        seed: Sequence[int],
    ) -> Float[Tensor, "n 3 h w"]:
        if content is None:
            raise ConfigError("StyleID keeps the layout of a content image: give some.")
        with attention_for(style.device, self.foundation.image_size):
            unprompted = Unprompted(self.foundation, self.layers)
            # At a step of inversion the network looks at the latents of the step before.
            style_at = AttentionAtSteps(unprompted, [*style[:-1]], self.steps, take_keys_and_values)
            return torch.cat(
                [self._render(one, style[-1], unprompted, style_at) for one in torch.split(content, 1)]
            )

    def _render(
        self,
        content: Float[Tensor, "1 3 h w"],
        style_noise: Float[Tensor, "r c u v"],
        unprompted: Unprompted,
        style_at: AttentionAtSteps[tuple[Tensor, Tensor]],
    ) -> Float[Tensor, "1 3 p p"]:
        noise, queries = self._invert_content(content, unprompted)

        def predict(latents: Tensor, step: int) -> Tensor:
            place = self.steps.index(step)
            style = style_at[place]

            def attend(name: str, own: Tensor, keys: Tensor, values: Tensor) -> Tensor:
                return inject(own, queries[place][name], *style[name], self.gamma, self.temperature)

            with attending(self.foundation.denoiser, self.layers, attend):
                return unprompted.predict(latents, step)

        start = adapt_statistics(noise, style_noise)
        latents = sample(self.foundation.pipeline.scheduler, predict, start, self.steps[::-1])
        return self.foundation.decode(latents).clamp(0.0, 1.0)

    def _invert_content(
        self, content: Float[Tensor, "1 3 h w"], unprompted: Unprompted
    ) -> tuple[Float[Tensor, "1 c u v"], list[dict[str, Tensor]]]:
        """Return its noise, and the queries of each layer at each step."""
        recorder, clean = Recorder(), self.foundation.encode(self.foundation.sized(content))
        way, queries = list[Tensor](), list[dict[str, Tensor]]()
        with attending(self.foundation.denoiser, self.layers, recorder):
            for latents in invert(self.foundation.pipeline.scheduler, unprompted.predict, clean, self.steps):
                way.append(latents)
                queries.append({name: layer.queries for name, layer in recorder.layers.items()})
        return way[-1], queries
