"""PromptFollowing: whether images show what their prompts ask for, as the atelier's judge reads them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, ClassVar, final

import torch
from annotated_types import Ge, Le
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from stylekit.benchmarks.benchmark import Benchmark, BenchmarkResult, Scores
from stylekit.benchmarks.drawing_distance import DistanceNetwork, DrawingDistance
from stylekit.benchmarks.exhibits import sheet, spread
from stylekit.benchmarks.judging import SceneJudge, judged_frames
from stylekit.benchmarks.prompt_board import PromptBoard, draw_references, prompt_boards
from stylekit.benchmarks.scene_scores import content_scores, style_scores
from stylekit.bounds import AtLeastTwo, Positive, bounded
from stylekit.method import Need, StyleRenderer
from stylekit.weights_digest import weights_digest

__all__ = ["PromptFollowing"]


@final
class PromptFollowing(Benchmark[StyleRenderer[Any]]):
    """Held-out scenes of the mini repertoire as prompts: `content` alone, and `styled` with a held-out style.

    A judge reads every image. `object_present` is the share of the prompted kinds of things that are found,
    the mean over images; `all_objects` the share of images with all of them; `counts` with each as often as
    prompted; `relations`, of images whose prompt says a direction, with all things where they should be. Of
    `styled`, `medium`, `palette`, `texture`, `brushwork` and `light` are shares of images whose word of that
    field is the likeliest. What the atelier's own drawings of the same prompts score (the experiment
    `atelier_painter`, with other seeds than any drawing here) is the upper bound: the judge errs, too.

    `fid_NETWORK` and `kid_NETWORK` are distances to held-out drawings, under the network named. FID grows
    as images become fewer, so compare it on boards of one size only, and with the upper bound's.

    Of films, a few frames are judged and averaged, and the middle one is compared with the drawings. A
    method that takes its style from references is given one held-out drawing. Time is of rendering alone,
    the first batch with all that it sets up.

    Args:
        judge: Builds what reads images, at the time of measuring; in YAML with `_partial_: true`.
        num_prompts: Of each board; the intervals are over these.
        images_per_prompt: Each with a seed of its own.
        distance_network: Whose pooled features FID and KID compare; null leaves them out.
        num_references: Held-out drawings that they compare with.
        num_frames: Frames of a film that are judged.
        image_size: Side of the drawings in pixels.
        seed: Of prompts, images and drawings.
        batch_size: Images rendered at once.
        name: Under which results are filed and logged.
        baselines: What results are compared with: experiments that need no training, and folders of runs.
    """

    fits: ClassVar[type[Any]] = StyleRenderer
    needs: ClassVar[frozenset[Need] | None] = frozenset({"prompt"})
    unit: ClassVar[str] = "prompts"

    @bounded
    def __init__(
        self,
        judge: Callable[[], SceneJudge],
        num_prompts: AtLeastTwo = 64,
        images_per_prompt: Positive = 2,
        distance_network: DistanceNetwork | None = "efficientnet_lite0",
        num_references: AtLeastTwo = 512,
        num_frames: Positive = 4,
        image_size: Annotated[int, Ge(64), Le(1024)] = 64,
        seed: int = 0,
        batch_size: Positive = 16,
        name: str = "prompt_following",
        baselines: Sequence[str] = (),
    ) -> None:
        super().__init__(name, baselines)
        self.judge = judge
        self.num_prompts, self.images_per_prompt = num_prompts, images_per_prompt
        self.num_frames, self.image_size = num_frames, image_size
        self.seed, self.batch_size = seed, batch_size
        self._distance = distance_network and DrawingDistance(
            distance_network, num_references, seed, image_size
        )

    def run(self, method: StyleRenderer[Any]) -> BenchmarkResult:
        """Render, read and compare."""
        judge = self.judge()
        assert isinstance(judge, nn.Module)
        judge.to(method.device).eval()
        if self._distance is not None:
            self._distance.load(method.device)
        was_training = method.training
        method.eval()
        scores: dict[str, Scores] = {}
        exhibits: dict[str, NDArray[Any]] = {}
        boards: dict[str, dict[str, Any]] = {}
        for board in prompt_boards(self.num_prompts, self.images_per_prompt, self.seed):
            found, shown = self._measure(method, board, judge)
            scores |= {f"{board.name}/{name}": one for name, one in found.items()}
            exhibits |= shown
            boards[board.name] = board.settings | {"judge": weights_digest(judge)}
            if self._distance is not None:
                boards[board.name]["references"] = self._distance.num_drawings
        method.train(was_training)
        return BenchmarkResult(scores, boards, exhibits)

    def _measure(
        self, method: StyleRenderer[Any], board: PromptBoard, judge: Any
    ) -> tuple[dict[str, Scores], dict[str, NDArray[Any]]]:
        (reference,) = draw_references(1, self.seed, self.image_size)
        style = method.extract(reference.to(method.device))
        chosen = set(spread(len(board.scenes)))
        values, features, shown = list[dict[str, Tensor]](), list[Tensor](), dict[int, list[Tensor]]()
        prompts, seeds = board.prompts, board.seeds
        bar = tqdm(total=len(board), desc=f"{self.name}/{board.name} {type(method).__name__}", unit="image")
        for rows in torch.split(torch.arange(len(board)), self.batch_size):
            of_prompt = (rows // self.images_per_prompt).tolist()
            began = time.perf_counter()
            asked = [prompts[index] for index in of_prompt]
            rendered = method.render(style, asked, None, [seeds[row] for row in rows.tolist()])
            images = rendered.detach().float().cpu()  # waits for the device
            seconds = (time.perf_counter() - began) / len(rows)
            frames = judged_frames(images, self.num_frames)
            values.append(self._read(judge, board, of_prompt, frames.to(method.device)))
            values[-1]["seconds"] = torch.full((len(rows),), seconds, dtype=torch.float64)
            if self._distance is not None:
                features.append(self._distance.features(frames[:, frames.shape[1] // 2]))
            for index, one in zip(of_prompt, frames, strict=True):
                if index in chosen:
                    shown.setdefault(index, []).append(one)
            bar.update(len(rows))
        bar.close()
        scores = self._by_prompt({name: torch.cat([part[name] for part in values]) for name in values[0]})
        if self._distance is not None:
            blocks = torch.arange(self.num_prompts).repeat_interleave(self.images_per_prompt)
            scores |= self._distance.scores(torch.cat(features), blocks)
        # A row of the sheet is one prompt: its images, of films all frames of each.
        images = torch.stack([torch.cat(parts) for parts in shown.values()])
        return scores, sheet(board.name, images, [prompts[index] for index in shown])

    def _read(
        self, judge: SceneJudge, board: PromptBoard, of_prompt: Sequence[int], frames: Tensor
    ) -> dict[str, Tensor]:
        """Score each image, the mean over its frames."""
        num_frames = frames.shape[1]
        repeated = [index for index in of_prompt for _ in range(num_frames)]
        reading = judge.read(frames.flatten(0, 1)).cpu()
        found = content_scores(reading, [board.scenes[index] for index in repeated])
        if board.styles is not None:
            found |= style_scores(reading, [board.styles[index] for index in repeated])
        return {name: value.view(-1, num_frames).mean(1) for name, value in found.items()}

    def _by_prompt(self, values: dict[str, Tensor]) -> dict[str, Scores]:
        """Average over the images of each prompt, and leave out prompts that a metric does not speak of."""
        scores = {}
        for name, value in values.items():
            means = value.view(self.num_prompts, self.images_per_prompt).mean(1)
            kept = torch.nonzero(~means.isnan())[:, 0]
            if len(kept) < 2:
                continue
            is_time = name == "seconds"
            scores[name] = Scores(
                means[kept].tolist(),
                kept.tolist(),
                "lower" if is_time else "higher",
                "seconds" if is_time else "percent",
            )
        return scores
