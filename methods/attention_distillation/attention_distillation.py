"""Latents optimised until their self-attention sees what it would see in a style (arXiv 2502.20235)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from methods.attention_distillation.energies import style_energy
from stylekit.bounds import AboveZero, NonNegative, Positive, bounded
from stylekit.diffusion import content_energy, descend, leading_steps, self_attention_layers
from stylekit.errors import ConfigError
from stylekit.foundation.attention import attention_for
from stylekit.foundation.stable_diffusion import StableDiffusion
from stylekit.foundation.unprompted import (
    AttentionAtSteps,
    Unprompted,
    take_keys_and_values,
    take_queries,
)
from stylekit.method import Need, StyleRenderer

__all__ = ["AttentionDistillation"]


@final
class AttentionDistillation(StyleRenderer[Float[Tensor, "r c u v"]]):
    """Attention Distillation (arXiv 2502.20235), its style transfer; training-free.

    The latents of a content image are moved by Adam, one step for each step of noise from the most to the
    least, until what the last layers of self-attention see with their own keys and values is what their
    queries would see with those of the style. A second term holds the queries near those of the content
    image. Latents, content and style are looked at without noise, as if they had that step's; nothing is
    denoised. The style is taken as a whole: any place may take from any other.

    Deviations: keys and values of several references are concatenated (the authors have one); images are
    stretched to the foundation's square (the authors keep their shape); one image at a time, since Adam on
    absolute differences would let an image depend on the others through the last bits.

    Args:
        foundation: The generator, told nothing.
        content_weight: Of the term that holds the queries.
        attention_scale: Of the queries that look at the style: above 1 they look at fewer places.
        num_steps: Of optimisation.
        learning_rate: Of Adam, in latents.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"content"})
    uses_seed: ClassVar[bool] = False
    renders_together: ClassVar[bool] = False

    @bounded
    def __init__(
        self,
        foundation: StableDiffusion,
        content_weight: NonNegative = 0.25,
        attention_scale: AboveZero = 1.0,
        num_steps: Positive = 200,
        learning_rate: AboveZero = 0.05,
    ) -> None:
        super().__init__()
        self.foundation = foundation
        self.content_weight, self.attention_scale = content_weight, attention_scale
        self.num_steps, self.learning_rate = num_steps, learning_rate
        # The last six of SD 1.5, 10 to 15 of 0 to 15.
        self.layers = self_attention_layers(foundation.denoiser, ("up_blocks.2", "up_blocks.3"))
        self.steps = leading_steps(num_steps, foundation.num_train_steps)[::-1]

    @torch.no_grad()
    def extract(self, references: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "r c u v"]:
        return self.foundation.encode(self.foundation.sized(references))

    def render(
        self,
        style: Float[Tensor, "r c u v"],
        prompt: Sequence[str],
        content: Float[Tensor, "n 3 h2 w2"] | None,
        seed: Sequence[int],
    ) -> Float[Tensor, "n 3 h w"]:
        if content is None:
            raise ConfigError("AttentionDistillation keeps the layout of a content image: give some.")
        with attention_for(style.device, self.foundation.image_size):
            unprompted = Unprompted(self.foundation, self.layers)
            style_at = AttentionAtSteps(
                unprompted, [style] * self.num_steps, self.steps, take_keys_and_values
            )
            return torch.cat([self._render(one, unprompted, style_at) for one in torch.split(content, 1)])

    def _render(
        self,
        content: Float[Tensor, "1 3 h w"],
        unprompted: Unprompted,
        style_at: AttentionAtSteps[tuple[Tensor, Tensor]],
    ) -> Float[Tensor, "1 3 p p"]:
        with torch.no_grad():
            clean = self.foundation.encode(self.foundation.sized(content))
        content_at = AttentionAtSteps(unprompted, [clean] * self.num_steps, self.steps, take_queries, room=0)

        def energy(latents: Tensor, place: int) -> Tensor:
            layers = unprompted.look(latents, torch.tensor([self.steps[place]], device=latents.device))
            style, contents = style_at[place], content_at[place]
            terms = []
            for name, (queries, _, _, seen) in layers.items():
                terms.append(style_energy(queries, seen, *style[name], scale=self.attention_scale))
                terms.append(self.content_weight * content_energy(queries, *contents[name]))
            return torch.stack(terms).sum()

        latents = descend(clean, energy, range(self.num_steps), self.learning_rate)
        with torch.no_grad():
            return self.foundation.decode(latents).clamp(0.0, 1.0)
