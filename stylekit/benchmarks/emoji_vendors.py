"""EmojiVendors: real drawings whose style and content are both known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, final

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor

from stylekit.benchmarks.benchmark import Benchmark, BenchmarkResult, Scores
from stylekit.benchmarks.board import Board, embed_board, mean_by_label
from stylekit.benchmarks.exhibits import embedding_map, retrieval_strips
from stylekit.bounds import AtLeastTwo, bounded
from stylekit.errors import ConfigError, DataError
from stylekit.method import StyleEncoder
from stylekit.metrics import leakage, nearest, recall_at_k, relevance
from stylekit.pixels import Rejection, decode

__all__ = ["EmojiVendors"]

ASSET = Path(__file__).parent / "emoji_vendors.parquet"
_BATCH = 64


@final
class EmojiVendors(Benchmark[StyleEncoder]):
    """The same emoji drawn by four vendors: a vendor is a style, an emoji a content.

    Every drawing is a query once, against all others. `style_at_1`: the nearest is by the same vendor;
    `content_at_1`: it shows the same emoji. As a vendor draws each emoji once, that is always a leak, and
    `leakage` is the same number. An encoder of style is high in the first (chance is 25 %) and near chance
    (0.25 %) in the others. The drawings are cut to what is painted and equally large, so that margins tell
    no vendor apart. They are for measuring alone: never trained or tuned on.

    Args:
        num_contents: How many of the 300 emoji to take, evenly spread over their names.
        name: Under which results are filed and logged.
        baselines: What results are compared with: experiments that need no training, and folders of runs.
    """

    fits: ClassVar[type[Any]] = StyleEncoder
    unit: ClassVar[str] = "emoji"

    @bounded
    def __init__(
        self, num_contents: AtLeastTwo = 300, name: str = "emoji_vendors", baselines: Sequence[str] = ()
    ) -> None:
        super().__init__(name, baselines)
        self.num_contents = num_contents
        self._board: Board | None = None

    def run(self, method: StyleEncoder) -> BenchmarkResult:
        """Measure an encoder."""
        board = self._board = self._board or _make_board(self.num_contents)
        embeddings = embed_board(method, board, f"{self.name} {type(method).__name__}")
        found = _score(embeddings, board)
        exhibits = retrieval_strips(embeddings, board) | embedding_map(embeddings, board)
        return BenchmarkResult(found, {board.name: dict(board.settings)}, exhibits)


def _score(embeddings: Tensor, board: Board) -> dict[str, Scores]:
    """Average over the drawings of each emoji; intervals are over emoji."""
    neighbours = nearest(embeddings, 1)
    same_style = relevance(neighbours, board.style_ids)
    same_content = relevance(neighbours, board.content_ids)
    values: list[tuple[str, Tensor, Literal["higher", "lower"]]] = [
        ("style_at_1", recall_at_k(same_style, 1), "higher"),
        ("content_at_1", recall_at_k(same_content, 1), "lower"),
        ("leakage", leakage(neighbours, board.style_ids, board.content_ids), "lower"),
    ]
    scores = {}
    for name, found, better in values:
        per_content = mean_by_label(found.double(), board.content_ids).tolist()
        scores[f"{board.name}/{name}"] = Scores(per_content, list(range(len(per_content))), better)
    return scores


def _make_board(num_contents: int) -> Board:
    table = pq.read_table(ASSET)
    styles, contents = table["style"].to_pylist(), table["content"].to_pylist()
    known = list(dict.fromkeys(contents))
    if num_contents > len(known):
        raise ConfigError(f"benchmark.num_contents must be at most {len(known)}, not {num_contents}.")
    places = torch.linspace(0, len(known) - 1, num_contents).round().long().tolist()
    number = {known[place]: index for index, place in enumerate(places)}
    vendors = {vendor: index for index, vendor in enumerate(dict.fromkeys(styles))}
    rows = [row for row, content in enumerate(contents) if content in number]
    images = table["image"].take(rows).to_pylist()

    def pixels() -> Iterator[Tensor]:
        for start in range(0, len(rows), _BATCH):
            decoded = [decode(data, "emoji_vendors.parquet") for data in images[start : start + _BATCH]]
            if broken := [one for one in decoded if isinstance(one, Rejection)]:
                raise DataError(f"{ASSET} is damaged ({broken[0].reason}); install stylekit again.")
            yield torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2)

    return Board(
        "emoji",
        torch.tensor([vendors[styles[row]] for row in rows]),
        torch.tensor([number[contents[row]] for row in rows]),
        pixels,
        {"images": len(rows), "styles": len(vendors), "contents": num_contents},
    )
