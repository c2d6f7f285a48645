"""StyleBench: how well any renderer takes a style from a reference, and the content from a prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, final

import torch
import torch.nn.functional as F
from annotated_types import Ge, Le
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from stylekit.benchmarks.benchmark import Benchmark, BenchmarkResult, Scores
from stylekit.benchmarks.drawing_distance import DistanceNetwork, DrawingDistance
from stylekit.benchmarks.exhibits import MOST_EXPLAINED, explanations, sheet, spread
from stylekit.benchmarks.judging import SceneJudge, judged_frames
from stylekit.benchmarks.layout_keeping import LayoutKeeping
from stylekit.benchmarks.timing import clock
from stylekit.benchmarks.transfer_board import TransferBoard, transfer_board
from stylekit.benchmarks.transfer_scores import TransferScorer
from stylekit.benchmarks.transfer_tally import TransferTally
from stylekit.bounds import AtLeastTwo, Positive, bounded
from stylekit.errors import ConfigError
from stylekit.foundation.patch_tower import PatchTower
from stylekit.method import (
    ExplainingRenderer,
    Explanation,
    ImageTextEncoder,
    Need,
    StyleEncoder,
    StyleRenderer,
)
from stylekit.painting import Row, paint, paint_explained

__all__ = ["StyleBench"]


@final
class StyleBench(Benchmark[StyleRenderer[Any]]):
    """Held-out styles, each taken from drawings, and held-out prompts that say the content alone.

    Every style has prompts of its own, of the mini repertoire. Its references show scenes without any kind
    of thing of these prompts. A method that needs content images is given drawings of the prompts' scenes,
    each in a held-out style of its own. Intervals are over styles; a value is the mean over a style's images.

    `rendered` are the method's images. `wrong_reference` are the same images, scored by the references and
    words of the board's next style: what is found by chance. Style and reference were drawn independently
    of the next ones, so this has the same distribution as rendering from the wrong reference and scoring by
    the right one. `drawings` are the atelier's own of the prompts in the right style, with other seeds: the
    upper bound, as judge and encoders err, too.

    Style: `style_similarity` is the cosine of image and reference under a style encoder, the mean over
    references; `reference_recall` the share of images whose nearest reference of the whole board is of their
    style. `medium`, `palette`, `texture`, `brushwork` and `light` are shares of images for which the judge
    finds the style's true word the likeliest, `style_truth` the mean of these five, and `palette_distance`
    how far the palette that it reads is from the true one. An encoder that a method learned from, or that
    saw rendered images, would favour it; the judge knows nothing of references.

    Content: `object_present`, `all_objects`, `counts` and `relations` as in PromptFollowing; `text_score` is
    the cosine of image and prompt under an image-text encoder. `leakage` is the share of the references'
    kinds of things that the judge finds in the image. In `wrong_reference` it is of the next style's, those
    aside that the prompt or the own references show: what the judge finds where nothing can leak. Of methods
    that are given content images, `structure` says how much of these images' layout is left: 1 - the mean
    absolute difference of the cosines between a tower's patches, in the image and in the content image.

    Quality: `fid_NETWORK` and `kid_NETWORK` as in PromptFollowing. `art_fid_text_NETWORK` is the product of
    ArtFID, (1 + content distance) (1 + FID), with 1 - text_score as content distance; of methods that are
    given content images `art_fid_content_NETWORK`, with 1 - cosine of the network's features of image and
    content image. `diversity_NETWORK` is 1 - cosine of the features of images that differ in seed alone.

    Cost: `seconds` for an image and `seconds_extract` for a style, the first with all that it sets up; on
    CUDA `peak_memory` while a style is extracted and rendered, the scorers' weights included.

    Of films, a few frames are scored and averaged, and the middle one counts for quality. Of a method that
    explains its images, a few explanations are kept for the report.

    Args:
        judge: Builds what reads images, at the time of measuring; in YAML with `_partial_: true`.
        encoder: Builds the style encoder, likewise.
        text_encoder: Builds the image-text encoder, likewise.
        tower: Builds what describes patches for `structure`, likewise; null leaves it out.
        num_styles: Held-out styles; the intervals are over these.
        contents_per_style: Prompts of each.
        images_per_content: Each with a seed of its own, which depends on the prompt and not on the style.
        references_per_style: Drawings that a style is taken from.
        distance_network: Whose pooled features quality is measured with; null leaves it out.
        num_drawings: Held-out drawings that FID and KID compare with.
        num_frames: Frames of a film that are scored.
        image_size: Side of references, content images and drawings in pixels.
        seed: Of styles, prompts, images and drawings.
        batch_size: Images rendered at once; all of one style.
        name: Under which results are filed and logged.
        baselines: What results are compared with: experiments that need no training, and folders of runs.
    """

    fits: ClassVar[type[Any]] = StyleRenderer
    needs: ClassVar[frozenset[Need] | None] = None
    unit: ClassVar[str] = "styles"

    @bounded
    def __init__(
        self,
        judge: Callable[[], SceneJudge],
        encoder: Callable[[], StyleEncoder],
        text_encoder: Callable[[], ImageTextEncoder],
        tower: Callable[[], PatchTower] | None = None,
        num_styles: AtLeastTwo = 32,
        contents_per_style: Positive = 4,
        images_per_content: Positive = 2,
        references_per_style: Positive = 1,
        distance_network: DistanceNetwork | None = "efficientnet_lite0",
        num_drawings: AtLeastTwo = 512,
        num_frames: Positive = 4,
        image_size: Annotated[int, Ge(64), Le(1024)] = 64,
        seed: int = 0,
        batch_size: Positive = 16,
        name: str = "style_bench",
        baselines: Sequence[str] = (),
    ) -> None:
        super().__init__(name, baselines)
        self.judge, self.encoder, self.text_encoder, self.tower = judge, encoder, text_encoder, tower
        self.num_styles, self.contents_per_style = num_styles, contents_per_style
        self.images_per_content, self.references_per_style = images_per_content, references_per_style
        self.num_frames, self.image_size = num_frames, image_size
        self.seed, self.batch_size = seed, batch_size
        self._board: TransferBoard | None = None
        self._distance = distance_network and DrawingDistance(
            distance_network, num_drawings, seed, image_size
        )
        self._layout: LayoutKeeping | None = None
        self._drawings: dict[bool, dict[str, Scores]] = {}

    def run(self, method: StyleRenderer[Any]) -> BenchmarkResult:
        """Render, score and compare."""
        if unknown := method.needs - {"prompt", "content"}:
            raise ConfigError(
                f"{self.name} gives references, prompts and content images, and {type(method).__name__} "
                f"needs {' and '.join(sorted(unknown))}: choose another benchmark."
            )
        has_contents = "content" in method.needs
        scorer = self._prepare(method.device, has_contents)
        was_training = method.training
        method.eval()
        groups, exhibits = self._measure(method, scorer, has_contents)
        method.train(was_training)
        if has_contents not in self._drawings:  # the same for every method
            self._drawings[has_contents] = self._score_drawings(scorer, has_contents)
        groups["drawings"] = self._drawings[has_contents]
        settings = scorer.board.settings | scorer.settings
        if self._layout is not None:
            settings["tower"] = self._layout.digest
        if self._distance is not None:
            settings["drawings"] = self._distance.num_drawings
        scores = {f"{group}/{name}": one for group, found in groups.items() for name, one in found.items()}
        return BenchmarkResult(scores, {group: dict(settings) for group in groups}, exhibits)

    def _prepare(self, device: torch.device, has_contents: bool) -> TransferScorer:
        """Draw the board, and load what scores: what is missing is to be known before hours of rendering."""
        if self._distance is not None:
            self._distance.load(device)
        self._layout = LayoutKeeping(self.tower, device) if has_contents and self.tower else None
        judge = _made(self.judge, SceneJudge, "judge")
        encoder = _made(self.encoder, StyleEncoder, "encoder")
        text_encoder = _made(self.text_encoder, ImageTextEncoder, "text_encoder")
        self._board = self._board or transfer_board(
            self.num_styles,
            self.contents_per_style,
            self.images_per_content,
            self.references_per_style,
            self.image_size,
            self.seed,
        )
        return TransferScorer(self._board, judge, encoder, text_encoder, device)

    def _measure(
        self, method: StyleRenderer[Any], scorer: TransferScorer, has_contents: bool
    ) -> tuple[dict[str, dict[str, Scores]], dict[str, NDArray[Any]]]:
        board = scorer.board
        rendered = TransferTally(board, self._distance, has_contents)
        wrong = TransferTally(board, None, has_contents)
        shown = {index: torch.empty(0) for index in spread(self.num_styles)}
        explained = dict.fromkeys(spread(self.num_styles, MOST_EXPLAINED))
        bar = tqdm(total=len(board), desc=f"{self.name} {type(method).__name__}", unit="image")
        for index in range(self.num_styles):
            contents = board.draw_contents(index) if has_contents else None
            frames, costs, explanation = self._render(method, board, index, contents)
            seen = scorer.look(frames)
            rendered.add(scorer.right(index, seen) | self._kept(frames, contents) | costs, frames)
            wrong.add(scorer.wrong(index, seen), frames)
            if index in shown:
                shown[index] = self._row(board, index, frames)
            if index in explained:
                explained[index] = explanation
            bar.update(len(frames))
        bar.close()
        captions = [" ".join(board.transfers[index].prompts) for index in shown]
        exhibits = sheet("rendered", torch.stack([*shown.values()]), captions)
        told = {board.transfers[index].prompts[0]: one for index, one in explained.items() if one}
        exhibits |= explanations("rendered", told)
        return {"rendered": rendered.scores(), "wrong_reference": wrong.scores()}, exhibits

    def _render(
        self, method: StyleRenderer[Any], board: TransferBoard, index: int, contents: Tensor | None
    ) -> tuple[Float[Tensor, "n f 3 h w"], dict[str, Tensor], Explanation | None]:
        """Extract a style and render its rows; costs have the same value for each row.

        The explanation is of the first row.
        """
        device, rows = method.device, board.rows(index)
        references = board.references[index].to(device)
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        began = clock(device)
        style = method.extract(references)
        costs = {"seconds_extract": clock(device) - began}
        asked = [
            Row(scene.prompt(), seed, None if contents is None else contents[number])
            for number, (scene, seed) in enumerate(rows)
        ]
        parts, seconds, told = [], 0.0, list[Explanation]()
        for start in range(0, len(asked), self.batch_size):
            some = asked[start : start + self.batch_size]
            began = clock(device)
            if isinstance(method, ExplainingRenderer):
                images, explanations_of_some = paint_explained(method, style, some)
                told = told or explanations_of_some
            else:
                images = paint(method, style, some)
            seconds += clock(device) - began
            parts.append(judged_frames(images, self.num_frames))
        costs["seconds"] = seconds / len(rows)
        if device.type == "cuda":
            costs["peak_memory"] = float(torch.cuda.max_memory_allocated(device))
        found = {name: torch.full((len(rows),), cost, dtype=torch.float64) for name, cost in costs.items()}
        return torch.cat(parts), found, told[0] if told else None

    def _kept(self, frames: Tensor, contents: Tensor | None) -> dict[str, Float[Tensor, " n"]]:
        """Score what is left of content images, the mean over frames."""
        if self._layout is None or contents is None:
            return {}
        num_frames = frames.shape[1]
        values = self._layout(frames.flatten(0, 1), contents.repeat_interleave(num_frames, 0))
        return {"structure": values.view(-1, num_frames).mean(1)}

    def _score_drawings(self, scorer: TransferScorer, has_contents: bool) -> dict[str, Scores]:
        tally = TransferTally(scorer.board, self._distance, has_contents)
        for index in tqdm(range(self.num_styles), f"{self.name} drawings", unit="style"):
            frames = scorer.board.draw_truth(index)[:, None]
            contents = scorer.board.draw_contents(index) if has_contents else None
            tally.add(scorer.right(index, scorer.look(frames)) | self._kept(frames, contents), frames)
        return tally.scores()

    def _row(self, board: TransferBoard, index: int, frames: Tensor) -> Float[Tensor, "k 3 h w"]:
        """Set the first image of each prompt beside the references, at the images' size."""
        images = frames[:: self.images_per_content, frames.shape[1] // 2]
        references = F.interpolate(board.references[index], images.shape[-2:], mode="nearest")
        return torch.cat([references, images])


def _made(make: Callable[[], Any], kind: type[Any], key: str) -> Any:
    made = make()
    if not isinstance(made, kind):
        raise ConfigError(f"benchmark.{key} must build a {kind.__name__}, and {type(made).__name__} is none.")
    return made
