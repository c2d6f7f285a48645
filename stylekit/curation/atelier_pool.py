"""A pool of drawn pictures for trying the pipeline offline: skewed, with duplicates, of known truth."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator, Sequence
from typing import Literal, final

import torch

from stylekit.atelier import REPERTOIRES, Scene, Style, draw, sample_scene, sample_style
from stylekit.atelier.palette import PALETTES
from stylekit.atelier.style_words import IDENTITIES, MEDIA
from stylekit.bounds import Count, Fraction, NonNegative, Positive, bounded
from stylekit.curation.estimate import Rate
from stylekit.curation.source import Found, ImageSource, Place, PoolName
from stylekit.image_files import to_picture

__all__ = ["AtelierPool"]

_AT_ONCE = 64


@final
class AtelierPool(ImageSource):
    """Pictures by the atelier, some for their style and some for their content.

    Media, identities and palettes of the styles follow a Zipf law, as those of a collection from the web
    do: few are everywhere, most are rare. Each picture depends on its number alone.

    Args:
        num_style: Pictures for the style pool.
        num_content: Pictures for the content pool.
        exponent: Of the Zipf law; 0 is uniform.
        duplicates: Share of the style pictures that repeat the style of an earlier one, of the content
            pictures the scene.
        image_size: Side of the pictures.
        repertoire: Draw only scenes that the mini foundations know ("mini"); null for all.
        seed: Of everything that is drawn.
        name: Begins the ids of its rows.
    """

    rate = Rate(per_second=80.0)  # at 64 pixels, on one core
    licence = "Apache-2.0"
    pool = None

    @bounded
    def __init__(
        self,
        num_style: Count = 2000,
        num_content: Count = 2000,
        exponent: NonNegative = 1.0,
        duplicates: Fraction = 0.2,
        image_size: Positive = 64,
        repertoire: Literal["mini"] | None = None,
        seed: int = 0,
        name: str = "atelier",
    ) -> None:
        self.num_style, self.num_content = num_style, num_content
        self.exponent, self.duplicates, self.image_size = exponent, duplicates, image_size
        self.repertoire, self.seed, self.name = repertoire, seed, name

    def places(self) -> Iterator[Place]:
        pools: tuple[tuple[PoolName, int], ...] = (("style", self.num_style), ("content", self.num_content))
        for pool, number in pools:
            for start in range(0, number, _AT_ONCE):
                stop = min(start + _AT_ONCE, number)
                yield Place(f"{pool}-{start}", json.dumps([pool, start, stop]), "", stop - start, pool)

    def read(self, where: str) -> Iterator[Found]:
        pool, start, stop = json.loads(where)
        numbers = range(start, stop)
        styles = [self.style(pool, number) for number in numbers]
        scenes = [self.scene(pool, number) for number in numbers]
        seeds = [self._random(pool, number, "strokes").getrandbits(31) for number in numbers]
        with torch.no_grad():
            images = draw(scenes, styles, seeds, self.image_size)
        for number, style, scene, image in zip(numbers, styles, scenes, images, strict=True):
            file = io.BytesIO()
            to_picture(image).save(file, "PNG")
            prompt = f"{scene.prompt()} {style.prompt()}"
            yield Found(f"{pool}-{number:06d}", file.getvalue(), prompt, pool, prompt)

    def style(self, pool: PoolName, number: int) -> Style:
        """Return the style of a picture."""
        if pool == "style":
            number = self._original(pool, number)
        choose = self._random(pool, number, "style")
        fixed = {
            "medium": _skewed(list(MEDIA), self.exponent, choose),
            "identity": _skewed(IDENTITIES, self.exponent, choose),
            "palette": _skewed(list(PALETTES), self.exponent, choose),
        }
        return sample_style(choose.getrandbits(31), **fixed)

    def scene(self, pool: PoolName, number: int) -> Scene:
        """Return the scene of a picture."""
        if pool == "content":
            number = self._original(pool, number)
        known = REPERTOIRES[self.repertoire] if self.repertoire else None
        sample = sample_scene if known is None else known.sample_scene
        return sample(self._random(pool, number, "scene").getrandbits(31))

    def _original(self, pool: PoolName, number: int) -> int:
        """Follow a duplicate to the picture that it repeats; anything else is its own original."""
        while number:
            choose = self._random(pool, number, "original")
            if choose.random() >= self.duplicates:
                break
            number = choose.randrange(number)
        return number

    def _random(self, pool: PoolName, number: int, of: str) -> random.Random:
        return random.Random(f"{self.seed} {pool} {number} {of}")


def _skewed(choices: Sequence[str], exponent: float, choose: random.Random) -> str:
    return choose.choices(choices, [rank**-exponent for rank in range(1, len(choices) + 1)])[0]
