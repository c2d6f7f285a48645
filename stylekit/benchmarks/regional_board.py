"""Content images of two kinds of things, and references in different styles that show the same kinds."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import count as count_up
from itertools import product
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from stylekit.atelier import MINI, Scene, SceneObject, Style, draw, sample_styles
from stylekit.atelier.scene import SETTINGS
from stylekit.benchmarks.board import seed_of, to_bytes
from stylekit.benchmarks.scene_regions import FIRST_KIND, kind_masks, true_regions_of
from stylekit.errors import ConfigError
from stylekit.split import Split, split_of

__all__ = ["RegionalBoard", "RegionalRow", "regional_board"]

_PATIENCE = 20_000  # scenes tried for the next row


@dataclass(frozen=True)
class RegionalRow:
    """A content image with two kinds of things, and references each in a style of its own."""

    scene: Scene
    style: Style
    """Of the content image; no reference has it."""
    shown: Sequence[Scene]
    """What each reference shows: one kind of thing; of a single reference both of the content's."""
    styles: Sequence[Style]
    """Of each reference."""
    right: tuple[int, int]
    """For each kind of the content the reference that shows it."""

    @property
    def kinds(self) -> tuple[str, str]:
        """The two kinds of things."""
        first, second = self.scene.objects
        return first.name, second.name


@dataclass(frozen=True)
class RegionalBoard:
    """Rows of a content image and its references."""

    rows: Sequence[RegionalRow]
    image_size: int
    seed: int
    split: Split

    def seed_of_row(self, index: int) -> int:
        """Return the seed to render a row with."""
        return seed_of(f"{self.seed}/{self.rows[index].scene.prompt()}")

    @cached_property
    def contents(self) -> Float[Tensor, "n 3 h w"]:
        """Draw the content images."""
        return self._draw([row.scene for row in self.rows], [row.style for row in self.rows], self._seeds)

    @cached_property
    def references(self) -> Float[Tensor, "n s 3 h w"]:
        """Draw the references."""
        scenes = [scene for row in self.rows for scene in row.shown]
        styles = [style for row in self.rows for style in row.styles]
        images = self._draw(scenes, styles, self._reference_seeds)
        return images.view(len(self.rows), -1, *images.shape[1:])

    @cached_property
    def masks(self) -> Bool[Tensor, "n 2 h w"]:
        """Mark where each kind is seen in the content images."""
        regions = true_regions_of([row.scene for row in self.rows], self._seeds, self.image_size)
        return torch.stack(
            [
                torch.stack([kind_masks(one, kind) for kind in row.kinds])
                for row, one in zip(self.rows, regions, strict=True)
            ]
        )

    @cached_property
    def reference_masks(self) -> Bool[Tensor, "n 2 s h w"]:
        """Mark in each reference what each kind is compared with: that kind where it is shown, else all."""
        scenes = [scene for row in self.rows for scene in row.shown]
        regions = true_regions_of(scenes, self._reference_seeds, self.image_size)
        by_row = regions.view(len(self.rows), -1, *regions.shape[1:])
        return torch.stack(
            [
                torch.stack([_own_or_all(one, kind) for kind in row.kinds])
                for row, one in zip(self.rows, by_row, strict=True)
            ]
        )

    @cached_property
    def truth(self) -> Float[Tensor, "n 3 h w"]:
        """Draw each scene as it should be, each kind in its own style, the backdrop as the first."""
        scenes = [row.scene for row in self.rows]
        first, second = (
            self._draw(scenes, [row.styles[row.right[kind]] for row in self.rows], self._seeds)
            for kind in (0, 1)
        )
        return torch.where(self.masks[:, 1, None], second, first)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What the board was made from, for the result."""
        told = [
            (row.scene.prompt(), row.style.prompt(), [scene.prompt() for scene in row.shown])
            for row in self.rows
        ]
        return {
            "images": len(self.rows),
            "references_per_image": len(self.rows[0].shown),
            "repertoire": MINI.name,
            "image_size": self.image_size,
            "seed": self.seed,
            "split": self.split,
            "texts": hashlib.sha256(repr(told).encode()).hexdigest()[:16],
            "contents": _digest(self.contents),
            "references": _digest(self.references),
        }

    @property
    def _seeds(self) -> list[int]:
        return [seed_of(f"{self.seed}/content/{row.scene.prompt()}") for row in self.rows]

    @property
    def _reference_seeds(self) -> list[int]:
        # Of the row, too: another row may show the same kind in the same words.
        return [
            seed_of(f"{self.seed}/reference/{row.scene.prompt()}/{scene.prompt()}")
            for row in self.rows
            for scene in row.shown
        ]

    def _draw(self, scenes: Sequence[Scene], styles: Sequence[Style], seeds: Sequence[int]) -> Tensor:
        return to_bytes(draw(scenes, styles, seeds, self.image_size)).float() / 255.0


def regional_board(
    num_images: int, num_references: int, image_size: int, seed: int, split: Split
) -> RegionalBoard:
    """Take scenes and styles of a split; no style occurs twice, and no two references of a row show the same.

    Boards that differ in the number of references alone have the same content images, and the same styles
    for what these show.
    """
    scenes = _two_kinds(num_images, seed, split)
    content_styles = sample_styles(num_images, seed + 2, split=split)
    num_styles = num_images * max(2, num_references)
    styles = _others(sample_styles(num_styles + num_images, seed, split=split), content_styles, num_styles)
    rows = []
    for index, (scene, style) in enumerate(zip(scenes, content_styles, strict=True)):
        rng = random.Random(f"{seed}/{scene.prompt()}")
        shown = _shown(scene, num_references, split, rng)
        # The styles of the two kinds first, whatever the number of references.
        own = [*styles[2 * index : 2 * index + 2], *styles[2 * num_images + index :: num_images]]
        order = rng.sample(range(num_references), num_references)
        right = (order.index(0), order.index(min(1, num_references - 1)))
        rows.append(
            RegionalRow(scene, style, [shown[one] for one in order], [own[one] for one in order], right)
        )
    return RegionalBoard(rows, image_size, seed, split)


def _others(styles: Sequence[Style], taken: Sequence[Style], count: int) -> list[Style]:
    prompts = {style.prompt() for style in taken}
    return [style for style in styles if style.prompt() not in prompts][:count]


def _two_kinds(count: int, seed: int, split: Split) -> list[Scene]:
    """Draw scenes of two kinds of things of which the split knows pictures by themselves."""
    found: dict[str, Scene] = {}
    last_new = 0
    for attempt in count_up():
        if len(found) == count:
            return list(found.values())
        if attempt - last_new > _PATIENCE:
            raise ConfigError(
                f"The atelier knows hardly more than {len(found)} scenes of two kinds: ask for fewer."
            )
        scene = MINI.sample_scene(seed * 1_000_003 + attempt)
        prompt = scene.prompt()
        if len(scene.objects) != 2 or prompt in found or split_of(prompt) != split:
            continue
        if all(_alone(item.name, split) for item in scene.objects) and _together(scene, split):
            found[prompt], last_new = scene, attempt
    raise AssertionError


def _shown(scene: Scene, count: int, split: Split, rng: random.Random) -> list[Scene]:
    """Choose what references show: the one kind, the other, and kinds that the content lacks."""
    if count == 1:
        return [rng.choice(_together(scene, split))]
    own = [item.name for item in scene.objects]
    others = [name for name in MINI.things if name not in own and _alone(name, split)]
    return [rng.choice(_alone(name, split)) for name in (*own, *rng.sample(others, count - 2))]


@cache
def _alone(name: str, split: Split) -> tuple[Scene, ...]:
    """List the scenes of a split that show one kind of thing and nothing else."""
    places = SceneObject(name).thing.places
    return tuple(
        scene
        for times, size, setting in product(range(1, MINI.max_things + 1), MINI.sizes, MINI.settings)
        if not set(SETTINGS[setting]).isdisjoint(places)
        for scene in [Scene((SceneObject(name, times, size),), (), setting)]
        if split_of(scene.prompt()) == split
    )


def _together(scene: Scene, split: Split) -> list[Scene]:
    """List other scenes of a split that show the same two kinds, in the same setting."""
    return [
        other
        for other in _arranged(scene)
        if other.prompt() != scene.prompt() and split_of(other.prompt()) == split
    ]


def _arranged(scene: Scene) -> Iterator[Scene]:
    for (first, second), relation, size, other in product(
        (scene.objects, scene.objects[::-1]), MINI.relations, MINI.sizes, MINI.sizes
    ):
        objects = (SceneObject(first.name, 1, size), SceneObject(second.name, 1, other))
        yield Scene(objects, (relation,), scene.setting)


def _own_or_all(regions: Tensor, kind: str) -> Bool[Tensor, "s h w"]:
    own = kind_masks(regions, kind)
    return torch.where(own.flatten(1).any(1)[:, None, None], own, regions >= FIRST_KIND)


def _digest(images: Tensor) -> str:
    return hashlib.sha256(to_bytes(images).numpy().tobytes()).hexdigest()[:16]
