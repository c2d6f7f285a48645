"""The atelier as the generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, final

from annotated_types import Ge, Le
from PIL import Image

from stylekit.atelier import draw
from stylekit.bounds import bounded
from stylekit.curation.captioning.truth import Truth, read_truth
from stylekit.curation.failure import Failure
from stylekit.curation.synthesis.synthesizer import Synthesizer
from stylekit.errors import ConfigError
from stylekit.image_files import to_picture

__all__ = ["AtelierDrawings"]


@final
class AtelierDrawings(Synthesizer):
    """Draws prompts in the atelier's words: its scenes, and its styles in MegaStyle's template.

    Args:
        size: Side of the drawings in pixels.
    """

    @bounded
    def __init__(self, size: Annotated[int, Ge(64), Le(1024)] = 64) -> None:
        self.size = size

    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image | Failure]:
        """Draw what can be read."""
        read = [_read(prompt) for prompt in prompts]
        known = [(one, seed) for one, seed in zip(read, seeds, strict=True) if not isinstance(one, Failure)]
        scenes, styles = [one.scene for one, _ in known], [one.style for one, _ in known]
        drawn = iter(draw(scenes, styles, [seed for _, seed in known], self.size))
        return [one if isinstance(one, Failure) else to_picture(next(drawn)) for one in read]


def _read(prompt: str) -> Truth | Failure:
    try:
        return read_truth(prompt)
    except ConfigError as error:
        return Failure("prompt outside the atelier's words", str(error))
