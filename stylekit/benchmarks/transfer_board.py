"""Styles to transfer: references, prompts without a word of style, and drawings of what is right."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jaxtyping import Float
from torch import Tensor

from stylekit.atelier import MINI, Scene, Style, draw, sample_scenes, sample_styles
from stylekit.benchmarks.board import seed_of, to_bytes
from stylekit.errors import ConfigError
from stylekit.split import split_of

__all__ = ["Transfer", "TransferBoard", "transfer_board"]

_PATIENCE = 2_000  # scenes tried as a reference


@dataclass(frozen=True)
class Transfer:
    """One style: what a method is given, and what it is to paint."""

    style: Style
    scenes: Sequence[Scene]
    """Of each prompt."""
    shown: Sequence[Scene]
    """What each reference shows; no kind of thing of these is in a prompt."""
    content_styles: Sequence[Style]
    """For each prompt the style of its content image."""

    @property
    def prompts(self) -> list[str]:
        """One for each scene: the content alone."""
        return [scene.prompt() for scene in self.scenes]

    @property
    def shown_kinds(self) -> frozenset[str]:
        """Kinds of things that the references show."""
        return frozenset(item.name for scene in self.shown for item in scene.objects)


@dataclass(frozen=True)
class TransferBoard:
    """Rows of a style, a prompt and a seed; all images of a style, and in it of a prompt, are neighbours.

    Every style has prompts of its own. A board of more styles, or of more images of each prompt, holds the
    rows of the smaller one.
    """

    transfers: Sequence[Transfer]
    images_per_content: int
    image_size: int
    seed: int

    def __len__(self) -> int:
        return sum(len(transfer.scenes) for transfer in self.transfers) * self.images_per_content

    @cached_property
    def references(self) -> Float[Tensor, "s r 3 h w"]:
        """Draw what each style is taken from."""
        rows = [(one, scene, number) for one in self.transfers for number, scene in enumerate(one.shown)]
        images = self._draw(
            [scene for _, scene, _ in rows],
            [one.style for one, _, _ in rows],
            [f"reference/{one.style.prompt()}/{number}" for one, _, number in rows],
        )
        return images.view(len(self.transfers), -1, *images.shape[1:])

    def wrong(self, index: int) -> int:
        """Name the style that another is mistaken for: the next one."""
        return (index + 1) % len(self.transfers)

    def rows(self, index: int) -> list[tuple[Scene, int]]:
        """Return the scene and the seed of each image; the seed is of the prompt, whatever the style."""
        return [
            (scene, seed_of(f"{self.seed}/{scene.prompt()}/{number}"))
            for scene in self.transfers[index].scenes
            for number in range(self.images_per_content)
        ]

    def draw_contents(self, index: int) -> Float[Tensor, "n 3 h w"]:
        """Draw each row's content image, the same for all rows of a prompt."""
        one, times = self.transfers[index], self.images_per_content
        names = [f"content/{prompt}" for prompt in one.prompts]
        return self._draw(one.scenes, one.content_styles, names).repeat_interleave(times, 0)

    def draw_truth(self, index: int) -> Float[Tensor, "n 3 h w"]:
        """Draw each row as it should be, from other seeds than the row's and the references'."""
        style, rows = self.transfers[index].style, self.rows(index)
        names = [f"drawing/{style.prompt()}/{number}" for _, number in rows]
        return self._draw([scene for scene, _ in rows], [style] * len(rows), names)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What the board was made from, for the result."""
        first = self.transfers[0]
        told = [(one.style.prompt(), one.prompts) for one in self.transfers]
        return {
            "images": len(self),
            "styles": len(self.transfers),
            "contents_per_style": len(first.scenes),
            "images_per_content": self.images_per_content,
            "references_per_style": len(first.shown),
            "repertoire": MINI.name,
            "image_size": self.image_size,
            "seed": self.seed,
            "texts": hashlib.sha256(repr(told).encode()).hexdigest()[:16],
            "references": hashlib.sha256(to_bytes(self.references).numpy().tobytes()).hexdigest()[:16],
        }

    def _draw(self, scenes: Sequence[Scene], styles: Sequence[Style], names: Sequence[str]) -> Tensor:
        seeds = [seed_of(f"{self.seed}/{name}") for name in names]
        return to_bytes(draw(scenes, styles, seeds, self.image_size)).float() / 255.0


def transfer_board(
    num_styles: int,
    contents_per_style: int,
    images_per_content: int,
    references_per_style: int,
    image_size: int,
    seed: int,
) -> TransferBoard:
    """Take held-out styles, each with held-out scenes of the mini repertoire as prompts and as references."""
    num_contents = num_styles * contents_per_style
    scenes = sample_scenes(num_contents, seed, split="test", repertoire=MINI)
    content_styles = sample_styles(num_contents, seed + 2, split="test")  # not those of the drawings
    transfers, taken = [], set[str]()
    for index, style in enumerate(sample_styles(num_styles, seed, split="test")):
        own = slice(index * contents_per_style, (index + 1) * contents_per_style)
        shown = _shown_in_references(references_per_style, scenes[own], taken, f"{seed}/{style.prompt()}")
        transfers.append(Transfer(style, scenes[own], shown, content_styles[own]))
    return TransferBoard(transfers, images_per_content, image_size, seed)


def _shown_in_references(count: int, scenes: Sequence[Scene], taken: set[str], name: str) -> list[Scene]:
    """Find held-out scenes without any kind of thing of the prompts, and add them to what is taken."""
    prompted = {item.name for scene in scenes for item in scene.objects}
    found: list[Scene] = []
    for attempt in range(_PATIENCE):
        if len(found) == count:
            return found
        scene = MINI.sample_scene(seed_of(f"{name}/shown/{attempt}"))
        if not prompted.isdisjoint(item.name for item in scene.objects):
            continue
        prompt = scene.prompt()
        if prompt not in taken and split_of(prompt) == "test":
            taken.add(prompt)
            found.append(scene)
    raise ConfigError(
        f"Hardly any held-out scene shows none of the {len(prompted)} kinds of things in the "
        f"{len(scenes)} prompts of a style: ask for fewer contents_per_style, or references_per_style."
    )
