"""StyleRetrieval: whether the nearest image has the same style, or the same content."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, final

import torch
from annotated_types import Ge, Le
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor

from stylekit.benchmarks.benchmark import Benchmark, BenchmarkResult, Scores
from stylekit.benchmarks.board import (
    Board,
    data_board,
    embed_board,
    mean_by_label,
    palette_matched_board,
    random_board,
)
from stylekit.benchmarks.exhibits import embedding_map, retrieval_strips
from stylekit.bounds import AtLeastTwo, Count, Positive, bounded
from stylekit.datamodule import StyleDataModule
from stylekit.errors import ConfigError
from stylekit.method import StyleEncoder
from stylekit.metrics import csd_map_at_k, leakage, map_full, nearest, recall_at_k, relevance

__all__ = ["StyleRetrieval"]

_DEPTH = 10


@final
class StyleRetrieval(Benchmark[StyleEncoder]):
    """Retrieval among held-out styles x held-out contents (MegaStyle, arXiv 2604.08364, Table 2).

    Every image is a query once, against all others. Two boards are drawn by the atelier: `random`, styles
    drawn at random, of which many can be told by colour; and `palette_matched`, groups of styles that share
    their colours, each query ranked against its own group only. On both, every style comes with the same
    contents, so the nearest neighbour may share the style or the content: `leakage` counts the latter. Of
    a data set, it is measured on the queries that could have found either.

    Deviations: MegaStyle's images come from Qwen-Image, ours from the atelier; the paper does not say
    whether styles share contents or how queries and gallery are split; palette-matched groups and leakage
    are ours.

    Args:
        num_styles: Of the random board; the paper has 2,400.
        num_contents: For each of them; the paper has 32.
        num_groups: Palette groups; 0 leaves that board out.
        group_size: Styles in a group.
        num_group_contents: Contents of each style of a group.
        image_size: Side of the drawn images in pixels; the encoder resizes as it likes.
        seed: Of the boards.
        batch_size: Images drawn and embedded at once.
        data: A data set whose held-out styles replace both boards.
        name: Under which results are filed and logged.
        baselines: What results are compared with: experiments that need no training, and folders of runs.
    """

    fits: ClassVar[type[Any]] = StyleEncoder

    @bounded
    def __init__(
        self,
        num_styles: AtLeastTwo = 60,
        num_contents: AtLeastTwo = 16,
        num_groups: Count = 16,
        group_size: AtLeastTwo = 8,
        num_group_contents: AtLeastTwo = 12,
        image_size: Annotated[int, Ge(64), Le(1024)] = 64,
        seed: int = 0,
        batch_size: Positive = 64,
        data: StyleDataModule | None = None,
        name: str = "style_retrieval",
        baselines: Sequence[str] = (),
    ) -> None:
        super().__init__(name, baselines)
        if num_groups == 1:
            raise ConfigError("benchmark.num_groups must be at least 2, or 0 to leave palette groups out.")
        self.num_styles, self.num_contents = num_styles, num_contents
        self.num_groups, self.group_size, self.num_group_contents = num_groups, group_size, num_group_contents
        self.image_size, self.seed, self.batch_size = image_size, seed, batch_size
        self.data = data
        self._boards: list[Board] = []

    def run(self, method: StyleEncoder) -> BenchmarkResult:
        """Measure an encoder on all boards."""
        self._boards = self._boards or self._make_boards()
        scores: dict[str, Scores] = {}
        exhibits: dict[str, NDArray[Any]] = {}
        for board in self._boards:
            embeddings = embed_board(method, board, f"{self.name}/{board.name} {type(method).__name__}")
            scores |= {f"{board.name}/{metric}": found for metric, found in score(embeddings, board).items()}
            exhibits |= retrieval_strips(embeddings, board) | embedding_map(embeddings, board)
        boards = {board.name: dict(board.settings) for board in self._boards}
        return BenchmarkResult(scores, boards, exhibits)

    def _make_boards(self) -> list[Board]:
        if self.data is not None:
            return [data_board(self.data)]
        common = (self.image_size, self.seed, self.batch_size)
        boards = [random_board(self.num_styles, self.num_contents, *common)]
        if self.num_groups:
            counts = (self.num_groups, self.group_size, self.num_group_contents)
            boards.append(palette_matched_board(*counts, *common))
        return boards


def score(embeddings: Float[Tensor, "n d"], board: Board) -> dict[str, Scores]:
    """Rank the images of a board and average each metric over the queries of each style."""
    styles, contents, groups = board.style_ids, board.content_ids, board.groups
    neighbours = nearest(embeddings, _DEPTH, groups)
    relevant = relevance(neighbours, styles)
    higher = {
        "recall_at_1": recall_at_k(relevant, 1),
        f"recall_at_{_DEPTH}": recall_at_k(relevant, _DEPTH),
        f"csd_map_at_{_DEPTH}": csd_map_at_k(relevant, _DEPTH),
        "map_full": map_full(embeddings, styles, groups),
    }
    clusters = mean_by_label((groups if groups is not None else styles).double(), styles).long().tolist()
    scores = {
        name: Scores(mean_by_label(values.double(), styles).tolist(), clusters)
        for name, values in higher.items()
    }
    offered = _both_on_offer(board)
    if len(torch.unique(styles[offered])) > 1:
        leaked = leakage(neighbours, styles, contents)[offered].double()
        place = torch.unique(styles, return_inverse=True)[1]
        of_styles = [clusters[style] for style in torch.unique(place[offered]).tolist()]
        scores["leakage"] = Scores(mean_by_label(leaked, styles[offered]).tolist(), of_styles, "lower")
    return scores


def _both_on_offer(board: Board) -> Bool[Tensor, " n"]:
    """Tell which queries can find their style with another content, and their content in another style."""
    groups = torch.zeros_like(board.style_ids) if board.groups is None else board.groups
    labels = torch.stack([groups, board.style_ids, board.content_ids])
    sizes = [_count_alike(labels[rows]) for rows in ([0, 1], [0, 2], [0, 1, 2])]
    of_style, of_content, of_both = sizes
    return (of_style > of_both) & (of_content > of_both)


def _count_alike(labels: Tensor) -> Tensor:
    _, place, counts = torch.unique(labels, dim=1, return_inverse=True, return_counts=True)
    counted: Tensor = counts[place]
    return counted
