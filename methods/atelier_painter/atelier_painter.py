"""The atelier's own drawings as a text-to-image method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, final

from annotated_types import Ge, Le
from jaxtyping import Float
from torch import Tensor

from stylekit.atelier import STYLE_BEGINS, draw_prompts, sample_style
from stylekit.atelier.prompts import read_prompt
from stylekit.bounds import bounded
from stylekit.method import Need, StyleRenderer, check_rows

__all__ = ["AtelierPainter"]


@final
class AtelierPainter(StyleRenderer[None]):
    """Real images for prompts of the atelier: each is drawn as the training images are; training-free.

    What a benchmark finds of these is the most that it can find of a generator trained on drawings. A prompt
    that says no style is drawn in one that its seed chooses.

    Args:
        image_size: Side of the drawings in pixels.
    """

    needs: ClassVar[frozenset[Need]] = frozenset({"prompt"})
    uses_references: ClassVar[bool] = False

    @bounded
    def __init__(self, image_size: Annotated[int, Ge(64), Le(1024)] = 64) -> None:
        super().__init__()
        self.image_size = image_size

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
        return draw_prompts(prompts, seed, self.image_size).to(self.device)
