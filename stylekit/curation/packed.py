"""Pictures packed into Parquet files, WebDataset tars and Hugging Face data sets."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from stylekit.bounds import Positive, bounded
from stylekit.curation.source import Found, ImageSource, Place, PoolName, existing, stamp
from stylekit.errors import ConfigError, DataError, MissingError
from stylekit.image_files import SUFFIXES
from stylekit.pixels import Rejection

__all__ = ["HubImages", "ParquetImages", "TarImages"]

_DAMAGED = "truncated or damaged file"
_AT_ONCE = 64
_MOST_BYTES = 2**28  # of one picture
_UNREADABLE = (pa.ArrowException, OSError, MemoryError)


@final
class ParquetImages(ImageSource):
    """Rows of Parquet files, in a folder and below, or of one file.

    Args:
        path: The folder, or the file.
        pool: "style" or "content"; None lets the captions decide.
        licence: Of the pictures, for the data card.
        name: Begins the ids of its rows; the path's name by default.
        image_column: Image files, as bytes or as {bytes, path}.
        caption_column: Texts; None if there are none.
    """

    def __init__(
        self,
        path: str,
        pool: PoolName | None = None,
        licence: str = "unknown",
        name: str | None = None,
        image_column: str = "image",
        caption_column: str | None = "caption",
    ) -> None:
        self.path = Path(path).expanduser()
        self.pool, self.licence, self.name = pool, licence, name or self.path.stem
        self.image_column, self.caption_column = image_column, caption_column

    def places(self) -> Iterator[Place]:
        for name, file in _files(self.path, "*.parquet"):
            try:
                with pq.ParquetFile(file) as opened:
                    counts = [
                        opened.metadata.row_group(group).num_rows for group in range(opened.num_row_groups)
                    ]
            except _UNREADABLE:
                counts = [0]  # reading it says why
            for group, count in enumerate(counts):
                yield Place(f"{name}#{group}", json.dumps([name, group]), stamp(file), count, self.pool)

    def read(self, where: str) -> Iterator[Found | Rejection]:
        name, group = json.loads(where)
        place = f"{name}#{group}"
        row = 0
        try:
            with pq.ParquetFile(_inside(self.path, name)) as file:
                columns = [self.image_column, *([self.caption_column] if self.caption_column else [])]
                if missing := [column for column in columns if column not in file.schema_arrow.names]:
                    yield Rejection(place, f"no column {missing[0]}")
                    return
                for batch in file.iter_batches(_AT_ONCE, [group], columns):
                    for image, caption in _rows(batch, self.image_column, self.caption_column):
                        yield _found(f"{place}-{row}", image, caption)
                        row += 1
        except _UNREADABLE:
            yield Rejection(f"{place}-{row} and after" if row else place, _DAMAGED)


@final
class TarImages(ImageSource):
    """WebDataset tars: neighbours of one stem are one sample, as 0001.jpg, 0001.txt, 0001.json.

    Args:
        path: A folder of *.tar files, or one of them.
        pool: "style" or "content"; None lets the captions decide.
        licence: Of the pictures, for the data card.
        name: Begins the ids of its rows; the path's name by default.
        caption_key: In the .json of a sample, where it has no .txt.
    """

    def __init__(
        self,
        path: str,
        pool: PoolName | None = None,
        licence: str = "unknown",
        name: str | None = None,
        caption_key: str = "caption",
    ) -> None:
        self.path = Path(path).expanduser()
        self.pool, self.licence, self.name = pool, licence, name or self.path.stem
        self.caption_key = caption_key

    def places(self) -> Iterator[Place]:
        for name, file in _files(self.path, "*.tar"):
            yield Place(name, name, stamp(file), None, self.pool)

    def read(self, where: str) -> Iterator[Found | Rejection]:
        file = _inside(self.path, where)
        stem, parts = "", dict[str, bytes]()
        try:
            size = file.stat().st_size
            with tarfile.open(file, "r:") as tar:  # not compressed, as WebDataset's are
                for member in tar:
                    if not member.isfile():
                        continue
                    name = Path(member.name)
                    key, suffix = (
                        f"{name.parent.as_posix()}/{name.name.partition('.')[0]}",
                        name.suffix.lower(),
                    )
                    if key != stem:
                        yield from self._sample(where, stem, parts)
                        stem, parts = key, {}
                    if suffix not in {*SUFFIXES, ".txt", ".json"}:
                        continue
                    if member.offset_data + member.size > size or member.size > _MOST_BYTES:
                        yield Rejection(f"{where}/{member.name}", "longer than the tar, or than any picture")
                        continue
                    if suffix in parts or (suffix in SUFFIXES and not SUFFIXES.isdisjoint(parts)):
                        yield Rejection(f"{where}/{member.name}", "not the first such file of its sample")
                        continue
                    content = tar.extractfile(member)
                    assert content is not None, "it is a file"
                    parts[suffix] = content.read()
            yield from self._sample(where, stem, parts)
        except (tarfile.TarError, OSError, EOFError):
            yield from self._sample(where, stem, parts)
            yield Rejection(
                where, f"{_DAMAGED}; what comes after {stem.removeprefix('./') or 'its name'} is lost"
            )

    def _sample(self, where: str, stem: str, parts: dict[str, bytes]) -> Iterator[Found | Rejection]:
        image = next((parts[suffix] for suffix in parts if suffix in SUFFIXES), None)
        name = f"{where}/{stem.removeprefix('./')}"
        if image is None:
            if parts:
                yield Rejection(name, "no image in the sample")
            return
        caption = parts[".txt"].decode(errors="replace") if ".txt" in parts else self._described(parts)
        yield Found(name, image, (caption or "").strip() or None)

    def _described(self, parts: dict[str, bytes]) -> str | None:
        try:
            values = json.loads(parts.get(".json", b"{}"))
        except (ValueError, RecursionError):
            return None
        caption = values.get(self.caption_key) if isinstance(values, dict) else None
        return caption if isinstance(caption, str) else None


@final
class HubImages(ImageSource):
    """A data set of Hugging Face `datasets`: a name on the hub, or a folder that `load_dataset` reads.

    Args:
        hub: The name or the folder.
        split: Of the data set.
        revision: Commit, tag or branch on the hub.
        pool: "style" or "content"; None lets the captions decide.
        licence: Of the pictures, for the data card.
        name: Begins the ids of its rows; the data set's name by default.
        image_column: Image files.
        caption_column: Texts; None if there are none.
        rows_at_once: Of a place.
    """

    @bounded
    def __init__(
        self,
        hub: str,
        split: str = "train",
        revision: str | None = None,
        pool: PoolName | None = None,
        licence: str = "unknown",
        name: str | None = None,
        image_column: str = "image",
        caption_column: str | None = "caption",
        rows_at_once: Positive = 64,
    ) -> None:
        self.hub, self.split, self.revision = hub, split, revision
        self.pool, self.licence, self.name = pool, licence, name or Path(hub).name
        self.image_column, self.caption_column = image_column, caption_column
        self.rows_at_once = rows_at_once
        self._loaded: Any = None

    def places(self) -> Iterator[Place]:
        data = self._load()
        for start in range(0, len(data), self.rows_at_once):
            stop = min(start + self.rows_at_once, len(data))
            yield Place(
                f"{start}-{stop}", json.dumps([start, stop]), data._fingerprint, stop - start, self.pool
            )

    def read(self, where: str) -> Iterator[Found | Rejection]:
        start, stop = json.loads(where)
        try:
            table = self._load().with_format("arrow")[start:stop]
            for row, values in enumerate(_rows(table, self.image_column, self.caption_column), start):
                yield _found(str(row), *values)
        except _UNREADABLE:
            yield Rejection(f"{start}-{stop}", _DAMAGED)

    def _load(self) -> Any:
        if self._loaded is None:
            from datasets import load_dataset
            from datasets.exceptions import DatasetsError

            try:
                data = load_dataset(self.hub, revision=self.revision, split=self.split)
            except (DatasetsError, OSError, ValueError) as error:
                raise MissingError(
                    f"The data set {self.hub} could not be read ({error}). Check its name, split and the "
                    "network, or download it and give its folder."
                ) from error
            columns = [self.image_column, *([self.caption_column] if self.caption_column else [])]
            if missing := [column for column in columns if column not in data.column_names]:
                raise ConfigError(
                    f"The data set {self.hub} has no column {missing[0]!r}; it has "
                    f"{', '.join(data.column_names)}."
                )
            self._loaded = data.select_columns(columns)
        return self._loaded

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_loaded": None}


def _files(path: Path, pattern: str) -> Iterator[tuple[str, Path]]:
    """List the files of a kind with their names inside the path."""
    if existing(path).is_file():
        yield path.name, path
        return
    files = sorted(path.rglob(pattern))
    if not files:
        raise DataError(f"There is no {pattern} in {path}.")
    yield from ((file.relative_to(path).as_posix(), file) for file in files)


def _inside(path: Path, name: str) -> Path:
    return path if path.is_file() else path / name


def _rows(
    table: pa.Table | pa.RecordBatch, image_column: str, caption_column: str | None
) -> Iterator[tuple[object, object]]:
    """Yield images and captions; captions as bytes, since they may be no Unicode whatever the file says."""
    images = table[image_column]
    if pa.types.is_struct(images.type):
        has_bytes = images.type.get_field_index("bytes") >= 0
        images = pc.struct_field(images, "bytes") if has_bytes else pa.nulls(len(table))
    captions = table[caption_column] if caption_column else pa.nulls(len(table))
    if pa.types.is_dictionary(captions.type):
        captions = captions.cast(captions.type.value_type)
    if pa.types.is_string(captions.type) or pa.types.is_large_string(captions.type):
        captions = captions.cast(pa.large_binary())
    yield from zip(images.to_pylist(), captions.to_pylist(), strict=True)


def _found(name: str, image: object, caption: object) -> Found | Rejection:
    if not isinstance(image, bytes):
        return Rejection(name, "no image")
    text = caption.decode(errors="replace").strip() if isinstance(caption, bytes) else ""
    return Found(name, image, text or None)
