"""Which contents each style is drawn with."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import final

import pyarrow as pa

from stylekit.bounds import Positive, bounded
from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.step import Counts, Inputs, WholeStep
from stylekit.errors import DataError
from stylekit.split import split_of

__all__ = ["PAIRS", "Pair", "choose_contents"]

PAIRS = pa.schema(
    [
        ("id", pa.string()),  # s{style}_c{content}, as in the MegaStyle release
        ("style", pa.string()),
        ("content", pa.string()),
        ("style_id", pa.int64()),
        ("content_id", pa.int64()),
        ("seed", pa.int64()),
    ]
)


@final
class Pair(WholeStep):
    """Gives every style prompt some content prompts at random, no content twice (MegaStyle, section 3.3).

    Args:
        contents_per_style: Contents of each style.
        match_splits: Take contents of the split of the style. A data module that holds out contents drops
            images whose style and content fall into different splits: a quarter of them, unless they match.
        rows_per_shard: Pairs of a shard, whole styles; they are drawn at once.
        seed: Of the choice, and of the images.
    """

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

    def __call__(self, inputs: Inputs) -> Iterator[tuple[pa.Table, pa.Table]]:
        prompts = inputs.last.read(["id", "pool", "prompt"])
        names, styles = _of_pool(prompts, "style")
        _, contents = _of_pool(prompts, "content")
        chosen = choose_contents(styles, contents, self.contents_per_style, self.match_splits, self.seed)
        rows, rejects = list[dict[str, object]](), list[tuple[str, Failure]]()
        for number, (style, picked) in enumerate(zip(styles, chosen, strict=True)):
            if not picked:
                few = Failure("too few contents in the split of the style", split_of(style))
                rejects.append((names[number], few))
            rows += [self._row(number, style, content, contents[content]) for content in picked]
            if len(rows) + self.contents_per_style > self.rows_per_shard:
                yield pa.Table.from_pylist(rows, schema=PAIRS), rejects_table(rejects)
                rows, rejects = [], []
        if rows or rejects:
            yield pa.Table.from_pylist(rows, schema=PAIRS), rejects_table(rejects)

    def _row(self, style_id: int, style: str, content_id: int, content: str) -> dict[str, object]:
        name = f"s{style_id:06d}_c{content_id:06d}"
        seed = random.Random(f"{self.seed} {style} {content}").getrandbits(31)
        row = {"id": name, "style": style, "content": content, "style_id": style_id}
        return row | {"content_id": content_id, "seed": seed}


def choose_contents(
    styles: Sequence[str], contents: Sequence[str], count: int, match_splits: bool, seed: int
) -> list[list[int]]:
    """Return for each style `count` different contents, by their places; none where too few match its split.

    What a style is given depends on its prompt and on the contents, not on the other styles.
    """
    if len(contents) < count:
        raise DataError(
            f"{len(contents)} contents are too few to give each style {count}: set "
            "curation.pair.contents_per_style lower, or add contents."
        )
    everything = list(range(len(contents)))
    groups = dict.fromkeys(("train", "val", "test"), everything)
    if match_splits:
        splits = [split_of(content) for content in contents]
        groups = {split: [at for at in everything if splits[at] == split] for split in groups}
    chosen = []
    for style in styles:
        group = groups[split_of(style)]
        is_enough = len(group) >= count
        chosen.append(random.Random(f"{seed} {style}").sample(group, count) if is_enough else [])
    return chosen


def _of_pool(prompts: pa.Table, pool: str) -> tuple[list[str], list[str]]:
    rows = [row for row in prompts.to_pylist() if row["pool"] == pool]
    return [row["id"] for row in rows], [row["prompt"] for row in rows]
