"""The contract of a source of images with a style and a content prompt, and the index of what it holds."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stylekit.pixels import Pixels, Rejection
from stylekit.split import Split, split_of

__all__ = [
    "SPLITS",
    "ImageIndex",
    "StyleSource",
    "advice_on_fractions",
    "digest_files",
    "index_prompts",
]


SPLITS: tuple[Split, ...] = ("train", "val", "test")

_WHOLE = 2**30
_END = 2**20  # the last mebibyte of a Parquet file has its statistics

# Reasons for which rows are dropped; those of images that cannot be decoded are in stylekit/pixels.py.
MIXED_SPLITS = "style and content in different splits"
TOO_FEW = "too few images of the style in the split"


@dataclass
class ImageIndex:
    """The prompts of all images, without the images."""

    style_prompts: list[str]
    """Distinct."""
    content_prompts: list[str]
    """Distinct."""
    style_ids: NDArray[np.int64]
    """(rows,) indices into style_prompts; -1 for a row that cannot be used."""
    content_ids: NDArray[np.int64]
    """(rows,) indices into content_prompts; -1 for a row that cannot be used."""
    splits: NDArray[np.int8]
    """(rows,) indices into SPLITS; -1 where style and content differ in theirs or the row cannot be used."""
    rejections: list[Rejection] = field(default_factory=list)
    """Rows and files that cannot be used."""

    def rows_by_style(
        self, split: Split, min_images: int
    ) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        """Return the styles with at least `min_images` images in a split, by prompt, and the rows of each."""
        rows = np.flatnonzero(self.splits == SPLITS.index(split))
        rows = rows[np.argsort(self.style_ids[rows], kind="stable")]
        styles, starts, counts = np.unique(self.style_ids[rows], return_index=True, return_counts=True)
        enough = [
            (int(style), rows[start : start + count])
            for style, start, count in zip(styles, starts, counts, strict=True)
            if count >= min_images
        ]
        enough.sort(key=lambda item: self.style_prompts[item[0]])
        return np.array([style for style, _ in enough], dtype=np.int64), [of_style for _, of_style in enough]

    def reason(self, row: int) -> str:
        """Say why a row that is in no split that has a use for it is dropped."""
        return MIXED_SPLITS if self.splits[row] < 0 else TOO_FEW

    def dropped(self, min_images: dict[Split, int]) -> Counter[str]:
        """Count the dropped images per reason."""
        reasons = Counter(rejection.reason for rejection in self.rejections)
        usable = self.style_ids >= 0
        reasons[MIXED_SPLITS] += int((usable & (self.splits < 0)).sum())
        for split, least in min_images.items():
            in_split = int((self.splits == SPLITS.index(split)).sum())
            reasons[TOO_FEW] += in_split - sum(map(len, self.rows_by_style(split, least)[1]))
        return Counter({reason: count for reason, count in sorted(reasons.items()) if count})


class StyleSource(ABC):
    """Where images come from. Cheap to construct; picklable once open, for workers."""

    @abstractmethod
    def open(self, image_size: int, cache_dir: Path, num_workers: int) -> ImageIndex:
        """Make ready to load: read the index, fill the cache if it is not full. Safe in several processes."""

    @abstractmethod
    def load(self, rows: Sequence[int]) -> list[Pixels | Rejection]:
        """Return the images of these rows of the index, in their order, at their stored size."""

    @abstractmethod
    def where(self, row: int) -> str:
        """Name the file, and the row in it."""

    @abstractmethod
    def advice(self, split: Split) -> str:
        """Name the settings to change when a split has too few usable images."""

    @abstractmethod
    def digest(self) -> str:
        """Return a hash of the images and prompts; the source is open."""


def index_prompts(
    styles: Sequence[str | None],
    contents: Sequence[str | None],
    rejections: list[Rejection],
    val_fraction: float,
    test_fraction: float,
    hold_out_contents: bool,
) -> ImageIndex:
    """Number the prompts of the rows, and split by style and, if wanted, by content; None is unusable."""
    style_prompts, style_ids = _number(styles)
    content_prompts, content_ids = _number(contents)
    style_ids[content_ids < 0] = -1
    content_ids[style_ids < 0] = -1
    splits = _splits(style_prompts, val_fraction, test_fraction)[style_ids]
    if hold_out_contents:
        of_content = _splits(content_prompts, val_fraction, test_fraction)[content_ids]
        splits = np.where(splits == of_content, splits, -1)
    splits[style_ids < 0] = -1
    return ImageIndex(
        style_prompts, content_prompts, style_ids, content_ids, splits.astype(np.int8), rejections
    )


def advice_on_fractions(split: Split) -> str:
    """Name the settings of a source that splits what it finds."""
    fraction = "" if split == "train" else f"raise data.source.{split}_fraction, or "
    return f"{fraction}set data.source.hold_out_contents=false"


def digest_files(root: Path, files: Iterable[Path]) -> str:
    """Hash the files below `root`; beyond a gibibyte, their names, sizes and last mebibytes."""
    sizes = {file: file.stat().st_size for file in sorted(files)}
    whole = sum(sizes.values()) <= _WHOLE
    parts = hashlib.sha256()
    for file, size in sizes.items():
        parts.update(f"{file.relative_to(root).as_posix()} {size}\n".encode())
        with file.open("rb") as opened:
            if not whole:
                opened.seek(max(0, size - _END))
            parts.update(hashlib.file_digest(opened, "sha256").digest())
    return parts.hexdigest()[:16]


def _number(prompts: Sequence[str | None]) -> tuple[list[str], NDArray[np.int64]]:
    numbers: dict[str, int] = {}
    ids = [-1 if prompt is None else numbers.setdefault(prompt, len(numbers)) for prompt in prompts]
    return list(numbers), np.array(ids, dtype=np.int64)


def _splits(prompts: Sequence[str], val: float, test: float) -> NDArray[np.int64]:
    # One more, for the index -1.
    return np.array([*(SPLITS.index(split_of(prompt, val, test)) for prompt in prompts), -1], dtype=np.int64)
