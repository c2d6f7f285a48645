"""DrawingReading: how exactly a judge reads drawings whose truth is known."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, ClassVar, final

import torch
from torch import Tensor
from tqdm import tqdm

from stylekit.atelier import REPERTOIRES, Scene, Style, draw, sample_scenes, sample_styles
from stylekit.benchmarks.benchmark import Benchmark, BenchmarkResult, Scores
from stylekit.benchmarks.scene_scores import (
    all_objects,
    counts_right,
    objects_present,
    other_objects,
    relations_hold,
    style_right,
)
from stylekit.bounds import AtLeastTwo, Positive, bounded
from stylekit.method import SceneReader
from stylekit.reading import Reading
from stylekit.split import Split

__all__ = ["DrawingReading"]


@final
class DrawingReading(Benchmark[SceneReader]):
    """The judge of generated images, judged on drawings: held-out scenes in held-out styles.

    Every style comes with scenes of its own. `objects` is the share of prompted kinds of things that are
    found, `all_objects`, `counts` and `relations` are shares of images (of those with a relation that says a
    direction), `other_objects` the share of the things of the repertoire that are not in a scene and are
    found all the same. The rest are shares of images whose word of that field of the style is read rightly.
    What a judge scores here bounds from above what generated images can score with it.

    Args:
        num_styles: Styles, each a row of the intervals.
        scenes_per_style: Scenes in each of them.
        split: Of styles and scenes.
        repertoire: Of the scenes.
        seed: Of the drawings.
        batch_size: Images drawn and read at once.
        name: Under which results are filed and logged.
        baselines: What results are compared with: experiments that need no training, and folders of runs.
    """

    fits: ClassVar[type[Any]] = SceneReader

    @bounded
    def __init__(
        self,
        num_styles: AtLeastTwo = 256,
        scenes_per_style: AtLeastTwo = 16,
        split: Split = "test",
        repertoire: str = "mini",
        seed: int = 0,
        batch_size: Positive = 128,
        name: str = "drawing_reading",
        baselines: Sequence[str] = (),
    ) -> None:
        super().__init__(name, baselines)
        self.num_styles, self.scenes_per_style = num_styles, scenes_per_style
        self.split: Split = split
        self.repertoire, self.seed, self.batch_size = repertoire, seed, batch_size

    def run(self, method: SceneReader) -> BenchmarkResult:
        """Draw and read."""
        known = REPERTOIRES[self.repertoire]
        num_images = self.num_styles * self.scenes_per_style
        scenes = sample_scenes(num_images, self.seed, self.split, known.max_things, known)
        styles = [
            style
            for style in sample_styles(self.num_styles, self.seed, self.split)
            for _ in range(self.scenes_per_style)
        ]
        pixels, scores = hashlib.sha256(), list[dict[str, Tensor]]()
        device = next(method.parameters()).device
        for start in tqdm(range(0, num_images, self.batch_size), desc=self.name):
            rows = slice(start, start + self.batch_size)
            images = draw(scenes[rows], styles[rows], list(range(num_images))[rows])
            pixels.update((images * 255.0).round().byte().numpy().tobytes())
            reading = method.read(images.to(device)).cpu()
            scores.append(_score(reading, scenes[rows], styles[rows]))
        board = {
            "images": num_images, "styles": self.num_styles, "split": self.split, "seed": self.seed,
            "repertoire": self.repertoire, "pixels": pixels.hexdigest()[:16],
        }  # fmt: skip
        found = {
            f"drawings/{name}": self._by_style(name, torch.cat([part[name] for part in scores]))
            for name in scores[0]
        }
        return BenchmarkResult(found, {"drawings": board})

    def _by_style(self, name: str, values: Tensor) -> Scores:
        """Average over the images of each style that have a value, and leave out styles without any."""
        means = values.view(self.num_styles, self.scenes_per_style).nanmean(1)
        styles = torch.arange(self.num_styles)[~means.isnan()]
        better = "lower" if name == "other_objects" else "higher"
        return Scores(means[styles].tolist(), styles.tolist(), better)  # type: ignore[arg-type]


def _score(reading: Reading, scenes: Sequence[Scene], styles: Sequence[Style]) -> dict[str, Tensor]:
    num_absent = torch.tensor([len(reading.things) - len(scene.objects) for scene in scenes])
    scores = {
        "objects": objects_present(reading, scenes),
        "all_objects": all_objects(reading, scenes),
        "counts": counts_right(reading, scenes),
        "relations": relations_hold(reading, scenes),
        "other_objects": other_objects(reading, scenes) / num_absent,
    }
    scores |= {field: style_right(reading, styles, field) for field in reading.words}
    return {name: values.double() for name, values in scores.items()}
