"""RegionalStyle: whether each thing takes the style of the reference that shows the same kind of thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, final

import torch
from annotated_types import Ge, Le
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from stylekit.benchmarks.benchmark import Benchmark, BenchmarkResult, Scores
from stylekit.benchmarks.drawing_distance import DistanceNetwork, load_network
from stylekit.benchmarks.exhibits import MOST_EXPLAINED, explanations, sheet, spread
from stylekit.benchmarks.layout_keeping import LayoutKeeping
from stylekit.benchmarks.regional_board import RegionalBoard, RegionalRow, regional_board
from stylekit.benchmarks.regional_scores import RegionalScorer
from stylekit.benchmarks.timing import clock
from stylekit.bounds import AtLeastTwo, bounded
from stylekit.foundation.patch_tower import PatchTower
from stylekit.method import ExplainingRenderer, Explanation, Need, StyleRenderer
from stylekit.painting import Row, paint, paint_explained
from stylekit.resizing import resized
from stylekit.split import Split

__all__ = ["RegionalStyle"]


@final
class RegionalStyle(Benchmark[StyleRenderer[Any]]):
    """Held-out pictures of two kinds of things, and references that are each in a held-out style of its own.

    One reference shows the first kind, in its style; another the second, in another; the rest show neither.
    They come in any order, and nothing says which is which. A single reference shows both kinds, and there
    `regional_style` is left out. Every picture has styles of its own; intervals are over pictures.

    Regions: `regional_style_D` is the share of a picture's two kinds whose region is nearest to that of the
    same kind in the right reference, among those of all references (where a reference does not show the
    kind, what it shows); by chance one in as many as there are references. `regional_distance_D` is how far
    the right one is. D is `lab`, mean and covariance of colours, or the network, early features.

    Of methods that say from which reference each place takes its style, `matched_right` is the share of both
    kinds that takes it from the right one, and `regional_style_matched_D` the share whose region is nearest
    to that of the reference it mostly takes from: whether what was matched is what was transferred.

    The whole: `structure` as in StyleBench; `style_distance_NETWORK` is that of early features of the whole
    picture to the nearest reference. `art_product` puts ArtFID's question to each picture, what of the
    content was lost and how far the style is: (2 - structure) (1 + regional_distance_lab). FID cannot answer
    here: content images and references are drawn alike, and as sets they do not differ. `seconds` is for one
    picture, its references included.

    `rendered` are the method's pictures. `wrong_assignment` are the same, scored with the two kinds
    exchanged. `content` are the content images themselves, nothing transferred: by chance, or a descriptor
    would tell what is shown and not how. `drawings` are the scenes with each kind drawn in its right style
    and the backdrop in the first's: the upper bound, as descriptors err.

    Args:
        tower: Builds what describes patches for `structure`, at the time of measuring; in YAML with
            `_partial_: true`. Null leaves it out.
        num_images: Content images, each a value of the intervals.
        num_references: Of each, all in different styles.
        split: Of scenes and styles; choose settings on another than test.
        distance_network: Of early features; null leaves these out.
        image_size: Side of content images and references in pixels.
        seed: Of scenes, styles and images.
        name: Under which results are filed and logged.
        baselines: What results are compared with: experiments that need no training, and folders of runs.
    """

    fits: ClassVar[type[Any]] = StyleRenderer
    needs: ClassVar[frozenset[Need] | None] = frozenset({"content"})
    unit: ClassVar[str] = "images"

    @bounded
    def __init__(
        self,
        tower: Callable[[], PatchTower] | None = None,
        num_images: AtLeastTwo = 48,
        num_references: Annotated[int, Ge(1), Le(16)] = 2,
        split: Split = "test",
        distance_network: DistanceNetwork | None = "efficientnet_lite0",
        image_size: Annotated[int, Ge(64), Le(1024)] = 64,
        seed: int = 0,
        name: str = "regional_style",
        baselines: Sequence[str] = (),
    ) -> None:
        super().__init__(name, baselines)
        self.tower, self.num_images, self.num_references = tower, num_images, num_references
        self.split: Split = split
        self.distance_network, self.image_size, self.seed = distance_network, image_size, seed
        self._board: RegionalBoard | None = None
        self._controls: dict[str, dict[str, Scores]] = {}

    def run(self, method: StyleRenderer[Any]) -> BenchmarkResult:
        """Render, score and compare."""
        scorer = self._prepare(method.device)
        board = scorer.board
        was_training = method.training
        method.eval()
        images, seconds, told = self._render(method, board)
        method.train(was_training)
        groups: dict[str, dict[str, Scores]] = {}
        sources = [one.sources for one in told if one.sources is not None]
        groups["rendered"], wrong = scorer.score(images, {"seconds": seconds}, sources)
        if self.num_references > 1:
            groups["wrong_assignment"] = wrong
        if not self._controls:  # the same for every method
            drawn = {"content": board.contents, "drawings": board.truth}
            self._controls = {name: scorer.score(one)[0] for name, one in drawn.items()}
        groups |= self._controls
        scores = {f"{group}/{name}": one for group, found in groups.items() for name, one in found.items()}
        settings = self._settings(scorer)
        shown = {_caption(board.rows[row]): told[row] for row in spread(len(told), MOST_EXPLAINED)}
        exhibits = _sheet(board, images) | explanations("rendered", shown)
        return BenchmarkResult(scores, {group: dict(settings) for group in groups}, exhibits)

    def _prepare(self, device: torch.device) -> RegionalScorer:
        """Draw the board, and load what scores: what is missing is to be known before hours of rendering."""
        network = load_network() if self.distance_network else None
        layout = LayoutKeeping(self.tower, device) if self.tower else None
        self._board = self._board or regional_board(
            self.num_images, self.num_references, self.image_size, self.seed, self.split
        )
        return RegionalScorer(self._board, layout, network, device)

    def _render(
        self, method: StyleRenderer[Any], board: RegionalBoard
    ) -> tuple[Float[Tensor, "n 3 h w"], Float[Tensor, " n"], list[Explanation]]:
        """Render every row, at the board's size; explanations are of all, if the method gives any."""
        images, seconds, told = list[Tensor](), list[float](), list[Explanation]()
        rows = enumerate(zip(board.rows, board.contents, board.references, strict=True))
        for index, (_, content, references) in tqdm(
            rows, f"{self.name} {type(method).__name__}", len(board.rows), unit="image"
        ):
            began = clock(method.device)
            style = method.extract(references.to(method.device))
            asked = [Row("", board.seed_of_row(index), content)]
            if isinstance(method, ExplainingRenderer):
                image, explanation = paint_explained(method, style, asked)
                told += explanation
            else:
                image = paint(method, style, asked)
            seconds.append(clock(method.device) - began)
            images.append(resized(image, self.image_size, self.image_size))
        return torch.cat(images), torch.tensor(seconds, dtype=torch.float64), told

    def _settings(self, scorer: RegionalScorer) -> dict[str, Any]:
        settings = dict(scorer.board.settings)
        if scorer.layout is not None:
            settings["tower"] = scorer.layout.digest
        return settings


def _sheet(board: RegionalBoard, images: Float[Tensor, "n 3 h w"]) -> dict[str, NDArray[Any]]:
    """Show content, references and what was rendered."""
    rows = spread(len(images))
    shown = torch.cat([board.contents[rows, None], board.references[rows], images[rows, None]], 1)
    return sheet("rendered", shown, [_caption(board.rows[row]) for row in rows])


def _caption(row: RegionalRow) -> str:
    kinds = [f"{kind} as in reference {place + 1}" for kind, place in zip(row.kinds, row.right, strict=True)]
    return f"{row.scene.prompt()} {', '.join(kinds)}"
