"""The contract of what draws images for prompts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from PIL import Image

from stylekit.curation.failure import Failure

__all__ = ["Synthesizer"]


class Synthesizer(ABC):
    """Draws images for prompts. Cheap to construct, picklable, and loads on first use."""

    not_in_digest: ClassVar[frozenset[str]] = frozenset()
    """Settings that change how long an image takes, and not what it shows."""

    def files(self) -> list[Path]:
        """List the weights that it draws by, where they lie on this machine."""
        return []

    @abstractmethod
    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image | Failure]:
        """Draw each prompt from its seed, or say why not; each depends on its own prompt and seed only."""
