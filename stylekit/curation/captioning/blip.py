"""BLIP (arXiv 2201.12086): plain captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, final

from PIL import Image
from transformers import BlipForConditionalGeneration, BlipProcessor

from stylekit.curation.captioning.local_model import LocalModel

__all__ = ["Blip"]


@final
class Blip(LocalModel):
    """Says what an image shows, whatever it is asked."""

    reads_instructions: ClassVar[bool] = False
    without_weights: ClassVar[str | None] = None

    def _load(self, where: str) -> tuple[Any, Any]:
        processor = BlipProcessor.from_pretrained(where, revision=self.revision)
        return self._load_whole(BlipForConditionalGeneration, where), processor

    def _prepare(self, processor: Any, pictures: Sequence[Image.Image], texts: Sequence[str]) -> Any:
        return processor(images=list(pictures), return_tensors="pt")
