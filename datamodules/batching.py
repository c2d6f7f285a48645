"""From row numbers to batches: load, replace what cannot be decoded, augment, stack."""

from __future__ import annotations

import json
import os
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from datamodules.latents import RowLatents, stack
from datamodules.sampling import StyleSampler, permutation, uniform
from datamodules.source import ImageIndex, StyleSource
from stylekit.batch import PairBatch, StyleBatch
from stylekit.datamodule import Batch
from stylekit.encoding_cache import PromptEncodings
from stylekit.errors import DataError
from stylekit.pixels import Pixels, Rejection, crop_to_square

__all__ = ["Augmentation", "HeldOutBatches", "Layout", "RejectionLog", "StyledTrainBatches"]

Layout: TypeAlias = Literal["classes", "pairs"]


@dataclass(frozen=True)
class Augmentation:
    """Mirror and crop; colours stay, for they belong to the style."""

    flip_probability: float
    min_crop_area: float


class RejectionLog:
    """The images that could not be decoded when a batch needed them, from all workers, in one file."""

    def __init__(self) -> None:
        handle, self.path = tempfile.mkstemp(prefix="stylekit-rejections-", suffix=".jsonl")
        os.close(handle)
        weakref.finalize(self, _remove, self.path, os.getpid())
        self._seen: set[str] = set()

    def add(self, rejection: Rejection) -> None:
        """Note an image once per process; a short line appended is whole, whoever else writes."""
        if rejection.where not in self._seen:
            self._seen.add(rejection.where)
            with open(self.path, "a") as file:
                file.write(json.dumps(rejection) + "\n")

    def read(self) -> list[Rejection]:
        """Return the distinct rejections of all processes."""
        with open(self.path) as file:
            return sorted({Rejection(*json.loads(line)) for line in file})


def _remove(path: str, owner: int) -> None:
    if os.getpid() == owner:  # not a worker that inherited the log
        Path(path).unlink(missing_ok=True)


class StyledTrainBatches:
    """Training batches by number: the rows that the sampler names, augmented by their number and place.

    An image that cannot be decoded is replaced by another of its style; a style without any by another style.
    """

    def __init__(
        self,
        source: StyleSource,
        index: ImageIndex,
        sampler: StyleSampler,
        image_size: int,
        layout: Layout,
        augmentation: Augmentation,
        rejected: RejectionLog,
        latents: RowLatents | None = None,
        prompts: PromptEncodings | None = None,
    ) -> None:
        self._source, self._index, self._sampler = source, index, sampler
        self._image_size, self._layout, self._augmentation, self._rejected = (
            image_size, layout, augmentation, rejected,
        )  # fmt: skip
        self._latents, self._prompts = latents, prompts
        self._broken: set[int] = set()

    def __call__(self, position: int, rank: int, world_size: int) -> Batch:
        """Return the share of process `rank` in batch number `position`."""
        share = self._sampler.batch(position, rank, world_size)
        rows = share.rows.copy()
        loaded = self._load(rows.ravel().tolist())
        for i, slot in enumerate(share.slots):
            if any(int(row) not in loaded for row in rows[i]):
                rows[i] = self._replace(position, int(slot), int(share.styles[i]), rows[i], loaded)
        per_style = rows.shape[1]
        places = (share.slots[:, None] * per_style + np.arange(per_style)).ravel()
        images = self._augment([loaded[row] for row in rows.ravel().tolist()], position, places)
        return _batch(self._index, rows, images, self._layout, self._latents, self._prompts)

    def _load(self, rows: Sequence[int]) -> dict[int, Pixels]:
        """Load what can be decoded."""
        fresh = [row for row in rows if row not in self._broken]
        loaded: dict[int, Pixels] = {}
        for row, image in zip(fresh, self._source.load(fresh), strict=True):
            if isinstance(image, Rejection):
                self._broken.add(row)
                self._rejected.add(image)
            else:
                loaded[row] = image
        return loaded

    def _replace(
        self, position: int, slot: int, style: int, rows: NDArray[np.int64], loaded: dict[int, Pixels]
    ) -> NDArray[np.int64]:
        needed = 2 if self._layout == "pairs" else 1  # an image paired with itself would teach to copy
        good = self._good_rows(style, rows, loaded)
        if len(good) < needed:
            in_batch = set(self._sampler.styles(position).tolist())
            others = permutation(len(self._sampler.rows_by_style), self._sampler.seed, "instead", position)
            free = [int(other) for other in others if int(other) not in in_batch]
            # Each place of the batch looks through styles of its own, so that no two take the same.
            for other in [*free[slot :: self._sampler.styles_per_batch], *in_batch]:
                good = self._good_rows(other, self._sampler.rows_by_style[other][: len(rows)], loaded)
                if len(good) >= needed:
                    break
            else:
                raise DataError(
                    "None of the images that a batch could use can be decoded: run stylekit data check."
                )
        return np.array([good[i % len(good)] for i in range(len(rows))])

    def _good_rows(self, style: int, wanted: NDArray[np.int64], loaded: dict[int, Pixels]) -> list[int]:
        """Return the wanted rows of a style that can be decoded, filled up with others of it; distinct."""
        loaded.update(self._load([row for row in wanted.tolist() if row not in loaded]))
        good = [row for row in wanted.tolist() if row in loaded]
        spare = [
            row for row in self._sampler.rows_by_style[style].tolist() if row not in set(wanted.tolist())
        ]
        for row in spare:
            if len(good) == len(wanted):
                break
            loaded.update(self._load([row]))
            if row in loaded:
                good.append(row)
        return good

    def _augment(
        self, pixels: list[Pixels], position: int, places: NDArray[np.int64]
    ) -> Float[Tensor, "n 3 s s"]:
        if self._latents is not None:  # they are of the whole images
            return stack([crop_to_square(image, self._image_size) for image in pixels])

        def chance(what: str) -> NDArray[np.float64]:
            return uniform(self._sampler.seed, what, position, places)

        flips = chance("flip") < self._augmentation.flip_probability
        areas = 1.0 - (1.0 - self._augmentation.min_crop_area) * chance("area")
        settings = zip(
            pixels, areas.tolist(), chance("x").tolist(), chance("y").tolist(), flips.tolist(), strict=True
        )
        return stack(
            [
                crop_to_square(image, self._image_size, area, x, y, flip)
                for image, area, x, y, flip in settings
            ]
        )


class HeldOutBatches(Sequence[Batch]):
    """Batches of given styles with given images each, as they are."""

    def __init__(
        self,
        source: StyleSource,
        index: ImageIndex,
        rows_by_style: Sequence[NDArray[np.int64]],
        styles_per_batch: int,
        image_size: int,
        layout: Layout,
        rejected: RejectionLog,
        latents: RowLatents | None = None,
        prompts: PromptEncodings | None = None,
    ) -> None:
        self._source, self._index, self._rows_by_style = source, index, rows_by_style
        self._styles_per_batch, self._image_size, self._layout, self._rejected = (
            styles_per_batch, image_size, layout, rejected,
        )  # fmt: skip
        self._latents, self._prompts = latents, prompts

    def __len__(self) -> int:
        return -(-len(self._rows_by_style) // self._styles_per_batch)

    def __getitem__(self, number: int) -> Batch:  # type: ignore[override]
        """Return batch `number`; images that cannot be decoded are missing from it."""
        styles = self._rows_by_style[number * self._styles_per_batch : (number + 1) * self._styles_per_batch]
        if not len(styles):
            raise IndexError(number)
        rows: list[int] = []
        images: list[Pixels] = []
        for of_style in styles:
            good = self._decodable(of_style.tolist())
            if self._layout == "pairs":
                good = good[: len(good) // 2 * 2]
            rows += [row for row, _ in good]
            images += [crop_to_square(image, self._image_size) for _, image in good]
        if not rows:
            raise DataError("No image of the held-out styles can be decoded: run stylekit data check.")
        return _batch(
            self._index, np.array(rows)[None], stack(images), self._layout, self._latents, self._prompts
        )

    def _decodable(self, rows: list[int]) -> list[tuple[int, Pixels]]:
        good: list[tuple[int, Pixels]] = []
        for row, image in zip(rows, self._source.load(rows), strict=True):
            if isinstance(image, Rejection):
                self._rejected.add(image)
            else:
                good.append((row, image))
        return good


class _Labels(NamedTuple):
    style_ids: Tensor
    content_ids: Tensor
    style_prompts: list[str]
    content_prompts: list[str]


def _batch(
    index: ImageIndex,
    rows: NDArray[np.int64],
    images: Float[Tensor, "n 3 s s"],
    layout: Layout,
    row_latents: RowLatents | None,
    prompts: PromptEncodings | None,
) -> Batch:
    flat = rows.ravel()
    labels = _Labels(
        torch.from_numpy(index.style_ids[flat]),
        torch.from_numpy(index.content_ids[flat]),
        [index.style_prompts[i] for i in index.style_ids[flat]],
        [index.content_prompts[i] for i in index.content_ids[flat]],
    )
    latents = None if row_latents is None else row_latents[flat]
    if layout == "classes":
        return StyleBatch(images, *labels, latents)
    return PairBatch(
        references=images[0::2].contiguous(),
        images=images[1::2].contiguous(),
        style_ids=labels.style_ids[1::2],
        style_prompts=labels.style_prompts[1::2],
        content_prompts=labels.content_prompts[1::2],
        reference_latents=None if latents is None else latents[0::2].contiguous(),
        latents=None if latents is None else latents[1::2].contiguous(),
        conditions=None if prompts is None else prompts[labels.content_prompts[1::2]],
    )
