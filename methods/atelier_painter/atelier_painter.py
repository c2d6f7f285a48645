"""The atelier's own drawings as a text-to-image method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, final

from annotated_types import Ge, Le
from jaxtyping import Float
from torch import Tensor

from stylekit.atelier import STYLE_BEGINS, draw_prompts, sample_style
from stylekit.atelier.prompts import read_prompt
from stylekit.bounds import Positive, bounded
from stylekit.errors import ConfigError
from stylekit.foundation.vae import Vae
from stylekit.method import Need, StyleRenderer, check_rows
from stylekit.resizing import resized

__all__ = ["AtelierPainter"]


@final
class AtelierPainter(StyleRenderer[None]):
    """Real images for prompts of the atelier: each is drawn as the training images are; training-free.

    What a benchmark finds of these is the most that it can find of a generator trained on drawings. A prompt
    that says no style is drawn in one that its seed chooses.

    Args:
        image_size: Side of the drawings in pixels.
        seen_at: Bring them to this side: the bound of generators of small images.
        autoencoder: Give them as they come back from it: the bound of generators of its latents.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"prompt"})
    uses_references: ClassVar[bool] = False

    @bounded
    def __init__(
        self,
        image_size: Annotated[int, Ge(64), Le(1024)] = 64,
        seen_at: Positive | None = None,
        autoencoder: Vae | None = None,
    ) -> None:
        super().__init__()
        side = seen_at or image_size
        if side > image_size:
            raise ConfigError(f"method.seen_at={side} is more than method.image_size={image_size}.")
        if autoencoder is not None and side % autoencoder.factor:
            raise ConfigError(
                f"Drawings of {side} px do not come back whole from this autoencoder: set method.seen_at to "
                f"a multiple of {autoencoder.factor}."
            )
        self.image_size, self.side, self.autoencoder = image_size, side, autoencoder

    def extract(self, references: Float[Tensor, "n 3 h w"]) -> None:
        return None

    def render(
        self,
        style: None,
        prompt: Sequence[str],
        content: Float[Tensor, "n 3 h2 w2"] | None,
        seed: Sequence[int],
    ) -> Float[Tensor, "n 3 h w"]:
        check_rows(prompt, seed)
        prompts = [
            text if STYLE_BEGINS in text else f"{text} {sample_style(number).prompt()}"
            for text, number in zip([read_prompt(text, None) for text in prompt], seed, strict=True)
        ]
        drawn = draw_prompts(prompts, seed, self.image_size).to(self.device)
        drawn = resized(drawn, self.side, self.side)
        if self.autoencoder is None:
            return drawn
        return self.autoencoder.decode(self.autoencoder.encode(drawn)).clamp(0.0, 1.0)
