"""The step that gives each style the contents that it is drawn with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import pyarrow as pa
import pyarrow.compute as pc

from stylekit.bounds import Positive, bounded
from stylekit.curation.estimate import Rate
from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.step import Counts, Inputs, WholeStep
from stylekit.curation.synthesis.pairing import pair, seed_of
from stylekit.errors import DataError
from stylekit.split import split_of

__all__ = ["Pair"]


@final
class Pair(WholeStep):
    """Gives every style prompt some content prompts, no content twice (MegaStyle, section 3.3).

    Args:
        contents_per_style: Contents of each style.
        match_splits: Take contents of the split of the style. A data module that holds out contents drops
            images whose style and content fall into different splits: a quarter of them, unless they match.
        rows_per_shard: Pairs of a shard, whole styles; they are drawn at once.
        seed: Of the choice, and of the images.
    """

    rate = Rate(per_second=50_000.0)

    @bounded
    def __init__(
        self,
        contents_per_style: Positive = 8,
        match_splits: bool = False,
        rows_per_shard: Positive = 256,
        seed: int = 0,
    ) -> None:
        self.contents_per_style, self.match_splits = contents_per_style, match_splits
        self.rows_per_shard, self.seed = rows_per_shard, seed

    def expected(self, rows: Counts) -> Counts:
        return {"image": rows.get("style", 0) * self.contents_per_style}

    def passes(self, rows: Counts) -> int:
        return sum(self.expected(rows).values())

    def __call__(self, inputs: Inputs) -> Iterator[tuple[pa.Table, pa.Table]]:
        prompts = inputs.last.read(["id", "pool", "prompt"])
        styles, contents = (_of_pool(prompts, pool) for pool in ("style", "content"))
        if not self.match_splits:
            if len(contents) < self.contents_per_style:
                raise DataError(
                    f"{len(contents)} contents are too few to give each style {self.contents_per_style}: set "
                    "curation.pair.contents_per_style lower, or add contents."
                )
            yield from self._shards(pair(styles, contents, self.contents_per_style, self.seed))
            return
        for split in ("train", "val", "test"):
            some_styles, some_contents = _of_split(styles, split), _of_split(contents, split)
            if len(some_contents) >= self.contents_per_style:
                pairs = pair(some_styles, some_contents, self.contents_per_style, self.seed)
                yield from self._shards(self._renamed(pairs, split))
            elif len(some_styles):
                why = f"{len(some_contents)} of {split}"
                few = Failure("too few contents in the split of the style", why)
                yield pa.table({}), rejects_table([(name, few) for name in some_styles["id"].to_pylist()])

    def _shards(self, pairs: pa.Table) -> Iterator[tuple[pa.Table, pa.Table]]:
        rows = max(1, self.rows_per_shard // self.contents_per_style) * self.contents_per_style
        for start in range(0, len(pairs), rows):
            yield pairs.slice(start, rows), rejects_table([])

    def _renamed(self, pairs: pa.Table, split: str) -> pa.Table:
        """Tell the ids of one split from those of the others, which are numbered likewise."""
        ids = [f"{split}_{name}" for name in pairs["id"].to_pylist()]
        seeds = [seed_of(name, self.seed) for name in ids]
        pairs = pairs.set_column(pairs.column_names.index("id"), "id", pa.array(ids))
        return pairs.set_column(pairs.column_names.index("seed"), "seed", pa.array(seeds, pa.int64()))


def _of_pool(prompts: pa.Table, pool: str) -> pa.Table:
    return (
        prompts.filter(pc.equal(prompts["pool"], pool)).select(["id", "prompt"]).rename_columns(["id", pool])
    )


def _of_split(prompts: pa.Table, split: str) -> pa.Table:
    is_of = [split_of(text) == split for text in prompts.column(1).to_pylist()]
    return prompts.filter(pa.array(is_of, pa.bool_()))
