"""Parquet shards with the columns image, style and content: the layout of the MegaStyle release."""

from __future__ import annotations

import hashlib
import logging
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from datasets import Dataset, IterableDataset, load_dataset
from datasets.exceptions import DatasetsError

from datamodules.pool import ImagePool, open_pool
from datamodules.source import (
    ImageIndex,
    StyleSource,
    advice_on_fractions,
    digest_files,
    index_prompts,
)
from stylekit.bounds import Fraction, Positive, bounded
from stylekit.errors import ConfigError, DataError, MissingError
from stylekit.pixels import Pixels, Rejection, crop_to_square, decode
from stylekit.split import Split

__all__ = ["ParquetSource"]

log = logging.getLogger(__name__)

_COLUMNS = ["image", "style", "content"]
_BAD_SHARD = "truncated or damaged shard"
_UNREADABLE = (pyarrow.ArrowException, DatasetsError, OSError)
_CHUNK = 256


class ParquetSource(StyleSource):
    """Rows of Parquet shards, in a local folder or on the Hugging Face hub.

    A damaged shard is left out, and said so. Read at random, the shards are unpacked once into Arrow files,
    which take as much disk as they do. With `streaming` they are read once, in order, and every image is kept
    at the size that training uses, so that what does not fit on the disk does: 1.4 million images take 17 GB
    at 64 pixels.

    Args:
        path: Folder with *.parquet files, at any depth. Give this or `hub`.
        hub: Name of a data set on the hub, such as "tencent/MegaStyle-1.4M".
        revision: Commit, tag or branch of the data set on the hub.
        streaming: Keep the images at the size that training uses instead of unpacking the shards.
        max_images: Stop streaming after so many images; None for all.
        val_fraction: Share of the styles, and of the contents, kept for validation.
        test_fraction: The same for testing.
        hold_out_contents: Use an image only if its style and its content are in the same split, so that
            held-out images show contents never trained on.
    """

    @bounded
    def __init__(
        self,
        path: str | None = None,
        hub: str | None = None,
        revision: str | None = None,
        streaming: bool = False,
        max_images: Positive | None = None,
        val_fraction: Fraction = 0.05,
        test_fraction: Fraction = 0.1,
        hold_out_contents: bool = True,
    ) -> None:
        if (path is None) == (hub is None):
            raise ConfigError("ParquetSource: give either path (a folder of Parquet files) or hub (a name).")
        if max_images is not None and not streaming:
            raise ConfigError("ParquetSource: max_images limits streaming; set streaming=true with it.")
        self.path = None if path is None else Path(path).expanduser()
        self.hub, self.revision, self.streaming, self.max_images = hub, revision, streaming, max_images
        self.val_fraction, self.test_fraction = val_fraction, test_fraction
        self.hold_out_contents = hold_out_contents
        self._shards: list[tuple[str, Dataset]] = []
        self._ends: list[int] = []
        self._pool: ImagePool | None = None
        self._where: list[str] = []
        self._rejections: list[Rejection] = []

    def open(self, image_size: int, cache_dir: Path, num_workers: int) -> ImageIndex:
        """Unpack the shards, or shrink their images into a pool, unless that was done before."""
        self._rejections = []
        if self.streaming:
            styles, contents = self._open_pool(image_size, cache_dir, num_workers)
        else:
            styles, contents = self._open_shards(cache_dir)
        for rejection in self._rejections:
            if rejection.reason == _BAD_SHARD:
                log.warning("%s is truncated or damaged; its images are left out.", rejection.where)
        return index_prompts(
            styles, contents, self._rejections, self.val_fraction, self.test_fraction, self.hold_out_contents
        )

    def load(self, rows: Sequence[int]) -> list[Pixels | Rejection]:
        """Return the images of the rows, in any order."""
        if self._pool is not None:
            return [self._pool.images[row] for row in rows]
        return [decode(data, self.where(row)) for row, data in zip(rows, self._read(rows), strict=True)]

    def where(self, row: int) -> str:
        """Name the shard, and the row in it."""
        if self._where:
            return self._where[row]
        shard = bisect_right(self._ends, row)
        return f"{self._shards[shard][0]} row {row - (self._ends[shard - 1] if shard else 0)}"

    def advice(self, split: Split) -> str:
        """Name the settings to change when a split has too few usable images."""
        return advice_on_fractions(split)

    def digest(self) -> str:
        """Hash the shards; for the hub, its name, the revision and the prompts."""
        if self.path is not None:
            key = digest_files(self.path, self._files())
        elif self._pool is not None:
            key = f"{self.hub}@{self.revision} {self._pool.notes['prompts']}"
        else:
            key = f"{self.hub}@{self.revision} {self._shards[0][1]._fingerprint}"
        limit = "" if self.max_images is None else f" {self.max_images}"
        return hashlib.sha256(f"{key}{limit}".encode()).hexdigest()[:16]

    # Shards read at random.

    def _open_shards(self, cache_dir: Path) -> tuple[list[str | None], list[str | None]]:
        self._shards = []
        for name, read in self._readers():
            try:
                shard = read(cache_dir=str(cache_dir / "shards"))
            except _UNREADABLE as error:
                self._reject_shard(name, error)
                continue
            if missing := [column for column in _COLUMNS if column not in shard.column_names]:
                self._rejections.append(Rejection(name, f"shard without a column {missing[0]}"))
                continue
            self._shards.append((name, shard.select_columns(_COLUMNS)))
        self._ends = list(accumulate(len(shard) for _, shard in self._shards))
        styles: list[str | None] = []
        contents: list[str | None] = []
        for name, shard in self._shards:
            pairs = zip(_strings(shard, "style"), _strings(shard, "content"), strict=True)
            for number, (style, content) in enumerate(pairs):
                style, content = self._accept(style, content, f"{name} row {number}")
                styles.append(style)
                contents.append(content)
        return styles, contents

    def _read(self, rows: Sequence[int]) -> list[bytes]:
        """Return the files of the images, shard by shard."""
        found: dict[int, bytes] = {}
        shards = np.searchsorted(self._ends, np.asarray(rows), side="right")
        for shard in np.unique(shards):
            of_shard = [row for row, other in zip(rows, shards, strict=True) if other == shard]
            start = self._ends[shard - 1] if shard else 0
            table = self._shards[shard][1].with_format("arrow")[[row - start for row in of_shard]]
            for row, value in zip(of_shard, table["image"].to_pylist(), strict=True):
                found[row] = self._bytes(value)
        return [found[row] for row in rows]

    # Shards read once, in order.

    def _open_pool(
        self, image_size: int, cache_dir: Path, num_workers: int
    ) -> tuple[list[str | None], list[str | None]]:
        source = (
            f"{self.hub}@{self.revision}" if self.path is None else digest_files(self.path, self._files())
        )
        key = hashlib.sha256(f"{source} {self.max_images}".encode()).hexdigest()[:16]
        notes: dict[str, Any] = {"rows": [], "rejections": self._rejections}
        images = islice(self._shrunk(image_size, max(1, num_workers), notes), self.max_images)
        name = f"stream-{image_size}-{key}"
        self._pool = open_pool(
            cache_dir, name, image_size, images, notes, self.max_images, "Reading the shards"
        )
        notes = self._pool.notes
        rows = notes["rows"][: len(self._pool)]  # those kept: reading runs ahead of the limit
        notes["prompts"] = hashlib.sha256(repr(rows).encode()).hexdigest()
        self._where = [where for where, _, _ in rows]
        self._rejections = [Rejection(*rejection) for rejection in notes["rejections"]]
        return [style for _, style, _ in rows], [content for _, _, content in rows]

    def _shrunk(self, image_size: int, num_threads: int, notes: dict[str, Any]) -> Iterator[Pixels]:
        """Yield the images that can be used, noting their prompts, and why the others cannot."""
        with ThreadPoolExecutor(num_threads) as threads:
            rows = self._stream()
            while chunk := list(islice(rows, _CHUNK)):
                shrink = partial(_shrink, image_size=image_size)
                for row, image in zip(chunk, threads.map(shrink, chunk), strict=True):
                    if isinstance(image, Rejection):
                        self._rejections.append(image)
                    else:
                        notes["rows"].append((row[0], row[2], row[3]))
                        yield image

    def _stream(self) -> Iterator[tuple[str, bytes, str, str]]:
        for name, read in self._readers():
            try:
                rows: IterableDataset = read(streaming=True).decode(False)
                if missing := [
                    column for column in _COLUMNS if column not in (rows.column_names or _COLUMNS)
                ]:
                    self._rejections.append(Rejection(name, f"shard without a column {missing[0]}"))
                    continue
                for number, row in enumerate(rows.select_columns(_COLUMNS)):
                    style, content = self._accept(
                        row["style"], row["content"], where := f"{name} row {number}"
                    )
                    if style is not None and content is not None:
                        yield where, self._bytes(row["image"]), style, content
            except _UNREADABLE as error:
                self._reject_shard(name, error)

    # Both.

    def _files(self) -> list[Path]:
        assert self.path is not None
        files = sorted(self.path.rglob("*.parquet"))
        if not files:
            raise DataError(
                f"There is no *.parquet file in {self.path}; set data.source.path to their folder."
            )
        return files

    def _readers(self) -> Iterator[tuple[str, partial[Any]]]:
        """Yield the name of each shard and the function that opens it."""
        if self.path is not None:
            for file in self._files():
                name = file.relative_to(self.path).as_posix()
                yield name, partial(load_dataset, "parquet", data_files=str(file), split="train")
            return
        yield str(self.hub), partial(load_dataset, self.hub, revision=self.revision, split="train")

    def _reject_shard(self, name: str, error: Exception) -> None:
        if self.path is None:
            raise MissingError(
                f"The data set {name} could not be read from the Hugging Face hub ({error}). Check its "
                "name and the network, or download it and set data.source.path to its folder and "
                "data.source.hub to null."
            ) from error
        self._rejections.append(Rejection(name, _BAD_SHARD))

    def _accept(self, style: str | None, content: str | None, where: str) -> tuple[str | None, str | None]:
        for name, value in (("style", style), ("content", content)):
            if not isinstance(value, str) or not value.strip():
                self._rejections.append(Rejection(where, f"no {name}"))
                return None, None
        return style, content

    def _bytes(self, value: Any) -> bytes:
        """Return the image file that a cell holds, or names inside the folder; empty if neither."""
        if not isinstance(value, dict):
            return bytes(value) if isinstance(value, bytes) else b""
        if value.get("bytes") is not None:
            return bytes(value["bytes"])
        if self.path is not None and value.get("path"):
            file: Path = (self.path / value["path"]).resolve()
            if file.is_relative_to(self.path.resolve()) and file.is_file():
                return file.read_bytes()
        return b""


def _strings(shard: Dataset, column: str) -> Iterable[str | None]:
    """Read a column of which most values occur many times."""
    for chunk in shard.data.column(column).dictionary_encode().chunks:
        words = chunk.dictionary.to_pylist()
        yield from (None if index is None else words[index] for index in chunk.indices.to_pylist())


def _shrink(row: tuple[str, bytes, str, str], image_size: int) -> Pixels | Rejection:
    where, data, _, _ = row
    image = decode(data, where)
    return image if isinstance(image, Rejection) else crop_to_square(image, image_size)
