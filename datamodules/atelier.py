"""The embedded text-to-image generator as a source: styles x contents, drawn when needed or pooled."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Sequence
from itertools import chain
from itertools import count as count_up
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from datamodules.drawing import draw_all
from datamodules.pool import ImagePool, open_pool
from datamodules.sampling import PermutationStream, hash64, permutation, uniform
from datamodules.source import SPLITS, ImageIndex, StyleSource
from stylekit.bounds import Count, Positive, Probability, bounded
from stylekit.errors import ConfigError
from stylekit.pixels import Pixels, Rejection
from stylekit.split import Split

__all__ = ["AtelierSource"]

_NO_PIXELS = {"build_shapes.py", "motion.py", "sheet.py", "tokenizer.py"}  # draw nothing that stands still


class AtelierSource(StyleSource):
    """Images by the atelier: style i with contents of its own, all as often unless `thing_shares` tells.

    An image is a function of its style, its content and the seed. Drawing competes with training for the
    processor, so the first `cache_images` images (training split first) are drawn once and kept on disk.

    Args:
        contents_per_style: Images of each style, each with another content.
        num_contents: Contents that the styles of the training split share.
        medium: Draw all styles in this medium; null for all media.
        max_things: Draw scenes of at most so many things.
        thing_shares: How often training images show one, two and so on different things, as [5, 4, 2]; null
            for every content as often: as contents differ, few of them show one thing.
        repertoire: Draw only scenes that the mini foundations know ("mini"); null for all.
        mislabelled: Share of the training images that are drawn in another style of the split than their
            prompt says, as those of one label often differ in data that was not made for consistency.
        held_out_styles: Styles in each of the splits val and test, with as many contents of those splits.
        cache_images: How many images to keep on disk at most; 0 draws every image whenever it is needed.
        seed: Chooses styles, contents and strokes; apart from the training seed, so that runs share images.
    """

    @bounded
    def __init__(
        self,
        num_styles: Positive = 2000,
        contents_per_style: Positive = 8,
        num_contents: Positive = 4000,
        held_out_styles: Count = 128,
        cache_images: Count = 20_000,
        seed: int = 0,
        medium: str | None = None,
        max_things: Positive = 4,
        repertoire: Literal["mini"] | None = None,
        mislabelled: Probability = 0.0,
        thing_shares: Sequence[float] | None = None,
    ) -> None:
        if num_contents < contents_per_style:
            raise ConfigError(
                f"AtelierSource: num_contents ({num_contents}) must be at least contents_per_style "
                f"({contents_per_style}): a style shows each content once."
            )
        if thing_shares is not None and (min(thing_shares, default=0) < 0 or not sum(thing_shares)):
            raise ConfigError(
                f"AtelierSource: thing_shares are at least 0 and not all 0, as [5, 4, 2], not {thing_shares}."
            )
        if thing_shares is not None and len(thing_shares) > max_things:
            raise ConfigError(
                f"AtelierSource: scenes of max_things={max_things} show no {len(thing_shares)} different "
                f"things: give thing_shares {max_things} numbers at most."
            )
        self.num_styles, self.contents_per_style, self.num_contents = (
            num_styles,
            contents_per_style,
            num_contents,
        )
        self.held_out_styles, self.cache_images, self.seed = held_out_styles, cache_images, seed
        self.medium, self.max_things, self.repertoire = medium, max_things, repertoire
        self.mislabelled, self.thing_shares = mislabelled, thing_shares
        self._image_size = 0
        self._styles: list[Any] = []
        self._scenes: list[Any] = []
        self._style_ids: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._content_ids: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        self._pool: ImagePool | None = None
        self._rows = ""

    def open(self, image_size: int, cache_dir: Path, num_workers: int) -> ImageIndex:
        """Choose styles and contents, and draw the pool if it is not there."""
        self._image_size = image_size
        index = self._lay_out_rows()
        count = min(self.cache_images, len(index.style_ids))
        if count:
            key = (
                f"atelier-{image_size}-{hashlib.sha256(f'{self.digest()} {count}'.encode()).hexdigest()[:16]}"
            )
            drawn = draw_all(self.draw, count, num_workers)
            self._pool = open_pool(cache_dir, key, image_size, drawn, {}, count, "Drawing the data")
        return index

    def load(self, rows: Sequence[int]) -> list[Pixels | Rejection]:
        """Return the images, from the pool or drawn together."""
        kept = 0 if self._pool is None else len(self._pool)
        missing = [row for row in rows if row >= kept]
        drawn = dict(zip(missing, self.draw(missing), strict=True)) if missing else {}
        return [drawn[row] if row >= kept else self._pool.images[row] for row in rows]  # type: ignore[union-attr]

    def where(self, row: int) -> str:
        """Name the style and the content."""
        return f"atelier image {row}: {self._scenes[self._content_ids[row]].prompt()}"

    def advice(self, split: Split) -> str:
        """Name the settings to change when a split has too few usable images."""
        number = "num_styles" if split == "train" else "held_out_styles"
        return f"raise data.source.{number}, or data.source.contents_per_style"

    def digest(self) -> str:
        """Hash what each row shows, and the code and drawings of the atelier, which make the images."""
        assert self._rows, "open() comes first"
        parts = hashlib.sha256(f"{self.seed} {self.mislabelled} {self._image_size} {self._rows}".encode())
        folder = Path(_atelier().__file__).parent
        for file in sorted(folder.rglob("*")):
            if file.suffix in {".py", ".xz"} and file.name not in _NO_PIXELS:
                parts.update(file.relative_to(folder).as_posix().encode())
                parts.update(file.read_bytes())
        return parts.hexdigest()[:16]

    def draw(self, rows: Sequence[int]) -> list[Pixels]:
        """Draw these rows together."""
        scenes, styles, seeds = self.drawn_from(rows)
        with torch.no_grad():
            images = _atelier().draw(scenes, styles, seeds, self._image_size)
        return list((images.permute(0, 2, 3, 1) * 255.0).round().clamp(0, 255).to(torch.uint8).numpy())

    def drawn_from(self, rows: Sequence[int]) -> tuple[list[Any], list[Any], list[int]]:
        """Return the Scene, the Style and the seed of these rows; the source is open."""
        styles, contents = self._style_ids[list(rows)], self._content_ids[list(rows)]
        return (
            [self._scenes[content] for content in contents],
            [self._styles[style] for style in self._drawn_styles(styles, contents)],
            self._seeds(styles, contents),
        )

    def lay_out(self, styles: NDArray[np.int64], contents: NDArray[np.int64], size: int) -> Any:
        """Return the SceneMaps from which the images of these styles and contents are drawn."""
        scenes = [self._scenes[content] for content in contents]
        return _atelier().lay_out(scenes, self._seeds(styles, contents), size)

    def _drawn_styles(self, styles: NDArray[np.int64], contents: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the styles in which images are drawn, of which some training images have another."""
        if not self.mislabelled:
            return styles
        is_other = uniform(self.seed, "mislabelled", styles, contents) < self.mislabelled
        step = 1 + hash64(self.seed, "other style", styles, contents) % np.uint64(max(1, self.num_styles - 1))
        others = (styles + step.astype(np.int64)) % self.num_styles
        return np.where(is_other & (styles < self.num_styles), others, styles)

    def _seeds(self, styles: NDArray[np.int64], contents: NDArray[np.int64]) -> list[int]:
        return [int(seed) for seed in hash64(self.seed, "image", styles, contents) >> np.uint64(33)]

    def _lay_out_rows(self) -> ImageIndex:
        self._styles, self._scenes = [], []
        style_ids, content_ids, splits = [], [], []
        for number, split in enumerate(SPLITS):
            styles, scenes, use = self._sample(split)
            style_ids.append(np.repeat(np.arange(len(styles)) + len(self._styles), self.contents_per_style))
            content_ids.append(use + len(self._scenes))
            splits.append(np.full(len(use), number, dtype=np.int8))
            self._styles += styles
            self._scenes += scenes
        self._style_ids, self._content_ids = np.concatenate(style_ids), np.concatenate(content_ids)
        style_prompts = [style.prompt() for style in self._styles]
        content_prompts = [scene.prompt() for scene in self._scenes]
        rows = hashlib.sha256(repr((style_prompts, content_prompts)).encode())
        rows.update(self._style_ids.tobytes() + self._content_ids.tobytes())
        self._rows = rows.hexdigest()
        return ImageIndex(
            style_prompts, content_prompts, self._style_ids, self._content_ids, np.concatenate(splits)
        )

    def _sample(self, split: Split) -> tuple[list[Any], list[Any], NDArray[np.int64]]:
        num_styles = self.num_styles if split == "train" else self.held_out_styles
        if not num_styles:
            return [], [], np.zeros(0, dtype=np.int64)
        num_contents = self.num_contents if split == "train" else max(num_styles, self.contents_per_style)
        fixed = {} if self.medium is None else {"medium": self.medium}
        styles = list(_atelier().sample_styles(num_styles, self.seed, split, **fixed))
        known = None if self.repertoire is None else _atelier().REPERTOIRES[self.repertoire]
        scenes = list(_atelier().sample_scenes(num_contents, self.seed, split, self.max_things, known))
        return styles, scenes, self._choose_contents(num_styles, scenes, split)

    def _choose_contents(self, num_styles: int, scenes: Sequence[Any], split: Split) -> NDArray[np.int64]:
        """Return the contents of style 0, of style 1 and so on; none comes twice in a style."""
        each = self.contents_per_style
        if self.thing_shares is None or split != "train":
            stream = PermutationStream(len(scenes), each, self.seed, "contents", split)
            return np.concatenate([stream.window(style)[0] for style in range(num_styles)])
        num_kinds = np.array([len(scene.objects) for scene in scenes])
        bounds = np.cumsum(self.thing_shares) / sum(self.thing_shares)
        drawn = uniform(self.seed, "things", split, np.arange(num_styles * each)).reshape(num_styles, each)
        wanted = 1 + np.searchsorted(bounds, drawn, side="right")
        contents = np.empty_like(wanted)
        for kinds in np.unique(wanted):
            group = np.flatnonzero(num_kinds == kinds)
            if len(group) < each:
                raise ConfigError(
                    f"AtelierSource: {len(group)} of {len(scenes)} contents show {kinds} different things, "
                    f"fewer than the {each} of a style: raise num_contents, or set thing_shares[{kinds - 1}] "
                    "to 0."
                )
            orders = (permutation(len(group), self.seed, "contents", int(kinds), turn) for turn in count_up())
            coming = chain.from_iterable(orders)
            for style in np.flatnonzero((wanted == kinds).any(1)):
                places, taken = np.flatnonzero(wanted[style] == kinds), dict[int, None]()
                while len(taken) < len(places):
                    taken[next(coming)] = None  # two turns may meet within a style
                contents[style, places] = group[list(taken)]
        return contents.reshape(-1)


def _atelier() -> Any:
    return importlib.import_module("stylekit.atelier")
