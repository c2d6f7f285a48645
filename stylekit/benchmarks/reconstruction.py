"""Reconstruction: how much of an image is left when it comes back from a method's latents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, Protocol, final

import torch
from annotated_types import Ge, Le
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from stylekit.atelier import MINI
from stylekit.benchmarks.benchmark import Benchmark, BenchmarkResult, Scores
from stylekit.benchmarks.board import Board, mean_by_label, random_board
from stylekit.benchmarks.exhibits import sheet, spread
from stylekit.bounds import AtLeastTwo, bounded
from stylekit.method import Need, StyleRenderer
from stylekit.metrics import Unit, psnr
from stylekit.weights_digest import weights_digest

__all__ = ["Reconstruction", "StyleScorer"]


_MOST_DECIBELS = 100.0
"""Of an image that comes back as it was."""


class StyleScorer(Protocol):
    """What maps images in [0, 1] to unit vectors whose direction is their style: a `Siglip`, say."""

    def embed_images(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Map images to unit vectors."""


@final
class Reconstruction(Benchmark[StyleRenderer[Any]]):
    """Held-out scenes of the mini repertoire in held-out styles, rendered again from themselves.

    `psnr` is the mean over images. The style of a reconstruction is recognised where the nearest original,
    its own left out, has its style: `recall_at_1_reconstructions` has reconstructions as queries and
    originals as gallery, so that what a method adds to all images alike counts against it.
    `recall_at_1_originals` is the same for the originals themselves, `recall_at_1_lost` the one minus the
    other.

    Every image is rendered with the style extracted from all images of its style, and without a prompt.

    Args:
        encoder: Builds what recognises styles, at the time of measuring; in YAML with `_partial_: true`.
        num_styles: Held-out styles, each a value of the intervals.
        num_contents: Held-out scenes, the same for every style.
        image_size: Side of the images in pixels.
        seed: Of the images.
        name: Under which results are filed and logged.
        baselines: What results are compared with: experiments that need no training, and folders of runs.
    """

    fits: ClassVar[type[Any]] = StyleRenderer
    needs: ClassVar[frozenset[Need] | None] = frozenset({"content"})

    @bounded
    def __init__(
        self,
        encoder: Callable[[], StyleScorer],
        num_styles: AtLeastTwo = 48,
        num_contents: AtLeastTwo = 16,
        image_size: Annotated[int, Ge(64), Le(1024)] = 64,
        seed: int = 0,
        name: str = "reconstruction",
        baselines: Sequence[str] = (),
    ) -> None:
        super().__init__(name, baselines)
        self.encoder = encoder
        self.num_styles, self.num_contents = num_styles, num_contents
        self.image_size, self.seed = image_size, seed
        self._board: Board | None = None

    def run(self, method: StyleRenderer[Any]) -> BenchmarkResult:
        """Render and compare."""
        board = self._board = self._board or self._make_board()
        scorer = self.encoder()
        assert isinstance(scorer, torch.nn.Module)
        scorer.to(method.device).eval()
        was_training = method.training
        method.eval()
        ratios, vectors, again, shown = [], list[Tensor](), list[Tensor](), list[Tensor]()
        for originals in tqdm(board.batches(), f"{self.name} {type(method).__name__}", self.num_styles):
            originals = originals.to(method.device)
            rendered = self._render(method, originals)
            ratios.append(psnr(rendered, originals).clamp_max(_MOST_DECIBELS).cpu())
            with torch.inference_mode():
                vectors.append(scorer.embed_images(originals).float().cpu().clone())
                again.append(scorer.embed_images(rendered).float().cpu().clone())
            shown.append(torch.stack([originals[0], rendered[0]]).cpu())
        method.train(was_training)
        style_ids, gallery = board.style_ids, torch.cat(vectors)
        recalled = [
            recall_among_originals(queries, gallery, style_ids) for queries in (gallery, torch.cat(again))
        ]
        board.settings["encoder"] = weights_digest(scorer)
        scores = self._scores(board, torch.cat(ratios), *recalled)
        exhibits = sheet(board.name, torch.stack([shown[row] for row in spread(len(shown))]))
        return BenchmarkResult(scores, {board.name: dict(board.settings)}, exhibits)

    def _render(self, method: StyleRenderer[Any], originals: Tensor) -> Tensor:
        style = method.extract(originals)
        rows = range(len(originals))
        rendered = method.render(style, [""] * len(originals), originals, [self.seed + row for row in rows])
        return rendered.detach().float()

    def _make_board(self) -> Board:
        # Styles come one after another, so a batch is all images of one style.
        counts = (self.num_styles, self.num_contents)
        return random_board(*counts, self.image_size, self.seed, self.num_contents, "held_out", MINI)

    def _scores(self, board: Board, ratios: Tensor, originals: Tensor, again: Tensor) -> dict[str, Scores]:
        clusters = list(range(self.num_styles))
        found: list[tuple[str, Tensor, bool, Unit]] = [
            ("psnr", ratios, True, "dB"),
            ("recall_at_1_originals", originals, True, "percent"),
            ("recall_at_1_reconstructions", again, True, "percent"),
            ("recall_at_1_lost", originals - again, False, "points"),
        ]
        return {
            f"{board.name}/{name}": Scores(
                mean_by_label(values.double(), board.style_ids).tolist(),
                clusters,
                "higher" if is_better_higher else "lower",
                unit,
            )
            for name, values, is_better_higher, unit in found
        }


def recall_among_originals(
    queries: Float[Tensor, "n d"], originals: Float[Tensor, "n d"], style_ids: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """Tell for each query whether the nearest original has its style; that of its own row is left out."""
    hits = []
    for rows in torch.split(torch.arange(len(queries)), 1024):
        similarity = queries[rows] @ originals.T
        similarity[torch.arange(len(rows)), rows] = -torch.inf
        hits.append(style_ids[similarity.argmax(1)] == style_ids[rows])
    return torch.cat(hits).float()
