"""The pools of style and content pictures (MegaStyle, arXiv 2604.08364, section 3.1)."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import final

import pyarrow as pa

from stylekit.bounds import AboveZero, Positive, bounded
from stylekit.curation.descriptors import Descriptors
from stylekit.curation.estimate import Estimate, Rate
from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.source import Found, ImageSource, Place
from stylekit.curation.step import Counts, Inputs, RowStep, WholeStep
from stylekit.curation.valid_text import valid_name, valid_text
from stylekit.errors import ConfigError
from stylekit.pixels import Rejection, decode

__all__ = ["POOL", "Listing", "Pool"]

POOL = pa.schema(
    [
        ("id", pa.string()),
        ("pool", pa.string()),  # style or content
        ("image", pa.binary()),  # a file
        ("caption", pa.string()),  # of the source
        ("source", pa.string()),
        ("licence", pa.string()),
        ("truth", pa.string()),  # the prompt that it was drawn from, where it was drawn
    ]
)
_PLACE = pa.schema(
    [
        ("source", pa.int32()),
        ("name", pa.string()),
        ("where", pa.binary()),  # names of files may be no text
        ("stamp", pa.string()),
        ("images", pa.int64()),
        ("pool", pa.string()),
    ]
)


@final
class Pool(RowStep):
    """Reads pictures, keeps those that can be used, and says which pool each belongs to.

    Args:
        sources: Where the pictures come from.
        descriptors: Decide where a source names no pool: a caption with one of them is of a style picture.
        min_side: Pixels of the shorter side.
        max_aspect: Of the longer side to the shorter one.
    """

    @bounded
    def __init__(
        self,
        sources: Sequence[ImageSource],
        descriptors: Descriptors | None = None,
        min_side: Positive = 256,
        max_aspect: AboveZero = 2.0,
    ) -> None:
        names = Counter(source.name for source in sources)
        if twice := [name for name, count in names.items() if count > 1]:
            raise ConfigError(f"Two sources are called {twice[0]!r}; give one of them another name.")
        if not sources:
            raise ConfigError("Pool: sources must name one source of pictures at least.")
        if odd := [name for name in names if "/" in name]:
            raise ConfigError(f"The name of a source begins ids and has no slash, unlike {odd[0]!r}.")
        self.sources, self.descriptors = list(sources), descriptors or Descriptors()
        self.min_side, self.max_aspect = min_side, max_aspect

    def __call__(self, table: pa.Table) -> tuple[pa.Table, pa.Table]:
        kept, rejects = [], []
        for place in table.to_pylist():
            source, names = self.sources[place["source"]], set[str]()
            for found in source.read(os.fsdecode(place["where"])):
                if isinstance(found, Rejection):
                    rejects.append((f"{source.name}/{found.where}", Failure(found.reason, "")))
                elif fault := self._fault(found):
                    rejects.append((f"{source.name}/{found.name}", fault))
                elif found.name in names:
                    rejects.append((f"{source.name}/{found.name}", Failure("repeated name", "")))
                else:
                    names.add(found.name)
                    kept.append(self._row(source, found))
        return pa.Table.from_pylist(kept, schema=POOL), rejects_table(rejects)

    def expected(self, rows: Counts) -> Counts:
        undecided = rows.get("picture", 0)  # may go to either pool, as their captions say
        return {pool: rows.get(pool, 0) + undecided for pool in ("style", "content")}

    def estimate(self, num_rows: int, num_workers: int = 1) -> Estimate:
        slowest = min(self.sources, key=lambda source: source.rate.per_second or 0.0)
        return slowest.rate.estimate(num_rows, num_workers)

    def _fault(self, found: Found) -> Failure | None:
        pixels = decode(found.image, found.name)
        if isinstance(pixels, Rejection):
            return Failure(pixels.reason, f"{len(found.image)} bytes")
        height, width = pixels.shape[:2]
        size = f"{width} x {height}"
        if min(height, width) < self.min_side:
            return Failure(f"a side below {self.min_side} pixels", size)
        if max(height, width) > self.max_aspect * min(height, width):
            return Failure(f"longer than {self.max_aspect:g} times its width", size)
        return None

    def _row(self, source: ImageSource, found: Found) -> dict[str, object]:
        pool = found.pool or source.pool
        if pool is None:
            pool = "style" if self.descriptors.match(found.caption or "") else "content"
        return {
            "id": valid_name(f"{source.name}/{found.name}"),
            "pool": pool,
            "image": found.image,
            "caption": None if found.caption is None else valid_text(found.caption),
            "source": source.name,
            "licence": source.licence,
            "truth": found.truth,
        }


@final
class Listing(WholeStep):
    """Lists what is to be read, in shards of about equal numbers of pictures.

    Args:
        sources: Where the pictures come from.
        rows_per_shard: Pictures of a shard; a place with more, such as a tar, is a shard of its own.
    """

    rate = Rate(per_second=50_000.0)

    def __init__(self, sources: Sequence[ImageSource], rows_per_shard: int) -> None:
        self.sources, self.rows_per_shard = sources, rows_per_shard
        self._places: list[tuple[int, Place]] | None = None

    def inputs(self) -> str:
        """Return a digest of names, sizes and times of change."""
        return hashlib.sha256(json.dumps(self._list()).encode()).hexdigest()

    def expected(self, rows: Counts) -> Counts:
        counts = Counter[str]()
        for _, place in self._list():
            if place.images is None:
                counts["tar"] += 1
            else:
                counts[place.pool or "picture"] += place.images
        return counts

    def passes(self, rows: Counts) -> int:
        return len(self._list())

    def __call__(self, inputs: Inputs) -> Iterator[tuple[pa.Table, pa.Table]]:
        rows, pictures = list[dict[str, object]](), 0
        for source, place in self._list():
            if rows and (place.images is None or pictures + place.images > self.rows_per_shard):
                yield pa.Table.from_pylist(rows, schema=_PLACE), rejects_table([])
                rows, pictures = [], 0
            row = place._asdict() | {"name": valid_name(place.name), "where": os.fsencode(place.where)}
            rows.append({"source": source, **row})
            pictures += self.rows_per_shard if place.images is None else place.images
        yield pa.Table.from_pylist(rows, schema=_PLACE), rejects_table([])

    def _list(self) -> list[tuple[int, Place]]:
        if self._places is None:
            numbered = enumerate(self.sources)
            self._places = [(number, place) for number, source in numbered for place in source.places()]
        return self._places
