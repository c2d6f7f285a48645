"""Prompts that a renderer is measured on, the same for every renderer, and drawings to compare with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from stylekit.atelier import MINI, Scene, Style, draw, sample_scenes, sample_styles
from stylekit.benchmarks.board import seed_of, to_bytes

__all__ = ["PromptBoard", "draw_references", "prompt_boards"]

_DRAWN_AT_ONCE = 64


@dataclass(frozen=True)
class PromptBoard:
    """Rows of a prompt and a seed; all images of a prompt come one after another."""

    name: str
    scenes: Sequence[Scene]
    """Of each prompt."""
    styles: Sequence[Style] | None
    """Of each prompt; None where the prompts say no style."""
    images_per_prompt: int
    seed: int

    def __len__(self) -> int:
        return len(self.scenes) * self.images_per_prompt

    @property
    def prompts(self) -> list[str]:
        """One for each scene."""
        contents = [scene.prompt() for scene in self.scenes]
        if self.styles is None:
            return contents
        return [f"{content} {style.prompt()}" for content, style in zip(contents, self.styles, strict=True)]

    @property
    def seeds(self) -> list[int]:
        """One for each row; of its prompt alone, so that a larger board holds the same rows and more."""
        numbers = range(self.images_per_prompt)
        return [seed_of(f"{self.seed}/{prompt}/{number}") for prompt in self.prompts for number in numbers]

    @property
    def settings(self) -> dict[str, Any]:
        """What the board was made from, for the result."""
        return {
            "images": len(self),
            "prompts": len(self.scenes),
            "images_per_prompt": self.images_per_prompt,
            "repertoire": MINI.name,
            "seed": self.seed,
            "texts": hashlib.sha256(repr(self.prompts).encode()).hexdigest()[:16],
        }


def prompt_boards(num_prompts: int, images_per_prompt: int, seed: int) -> list[PromptBoard]:
    """Take held-out scenes of the mini repertoire, alone and each with a held-out style of its own."""
    scenes = sample_scenes(num_prompts, seed, split="test", repertoire=MINI)
    styles = sample_styles(num_prompts, seed, split="test")
    return [
        PromptBoard("content", scenes, None, images_per_prompt, seed),
        PromptBoard("styled", scenes, styles, images_per_prompt, seed),
    ]


def draw_references(count: int, seed: int, size: int) -> Iterator[Float[Tensor, "b 3 s s"]]:
    """Draw held-out scenes of the mini repertoire, each in a held-out style of its own, in batches."""
    # Another seed than that of the prompts; a scene of few words may occur in both all the same.
    scenes = sample_scenes(count, seed + 1, split="test", repertoire=MINI)
    styles = sample_styles(count, seed + 1, split="test")
    for start in range(0, count, _DRAWN_AT_ONCE):
        rows = range(start, min(start + _DRAWN_AT_ONCE, count))
        seeds = [seed_of(f"{seed}/reference/{row}") for row in rows]
        images = draw([scenes[row] for row in rows], [styles[row] for row in rows], seeds, size)
        yield to_bytes(images).float() / 255.0
