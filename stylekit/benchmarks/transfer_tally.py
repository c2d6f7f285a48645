"""What was measured on the images of a board, style after style, and what that makes of each style."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from stylekit.benchmarks.benchmark import Scores
from stylekit.benchmarks.drawing_distance import DrawingDistance
from stylekit.benchmarks.transfer_board import TransferBoard
from stylekit.metrics import Better, Unit, diversity

__all__ = ["TransferTally"]

_FORMS: dict[str, tuple[Better, Unit]] = {
    "style_similarity": ("higher", "cosine"),
    "palette_distance": ("lower", "distance"),
    "text_score": ("higher", "cosine"),
    "leakage": ("lower", "percent"),
    "structure": ("higher", "ratio"),
    "seconds": ("lower", "seconds"),
    "seconds_extract": ("lower", "seconds"),
    "peak_memory": ("lower", "bytes"),
}
"""What is not a percentage of which more is better."""


class TransferTally:
    """Collects the scores of images and, with a network, their features; gives a value for each style.

    Args:
        board: Whose images are scored, all of every style.
        distance: Measures quality; None leaves it out.
        has_contents: Whether contents are compared with content images, and not with prompts.
    """

    def __init__(self, board: TransferBoard, distance: DrawingDistance | None, has_contents: bool) -> None:
        self.board, self.distance, self.has_contents = board, distance, has_contents
        self._values: list[dict[str, Tensor]] = []
        self._features: list[Tensor] = []
        self._apart: list[Tensor] = []

    def add(self, values: dict[str, Float[Tensor, " n"]], frames: Float[Tensor, "n f 3 h w"]) -> None:
        """Take the next style's images."""
        index = len(self._values)
        self._values.append(values)
        if self.distance is None:
            return
        features = self.distance.features(frames[:, frames.shape[1] // 2])
        self._features.append(features)
        if self.has_contents:
            contents = self.distance.features(self.board.draw_contents(index))
            self._apart.append(1.0 - F.cosine_similarity(features, contents))
        else:
            self._apart.append(1.0 - values["text_score"])

    def scores(self) -> dict[str, Scores]:
        """Average over the images of each style, and leave out styles that a metric does not speak of."""
        scores = {}
        for name in self._values[0]:
            means = torch.stack([values[name].nanmean() for values in self._values])
            kept = torch.nonzero(~means.isnan())[:, 0]
            if len(kept) >= 2:
                form = _FORMS.get(name, ("higher", "percent"))
                scores[name] = Scores(means[kept].tolist(), kept.tolist(), *form)
        return scores if self.distance is None else scores | self._quality(self.distance)

    def _quality(self, distance: DrawingDistance) -> dict[str, Scores]:
        features, styles = torch.cat(self._features), torch.arange(len(self._features))
        blocks = styles.repeat_interleave(len(self._features[0]))
        scores = distance.scores(features, blocks)
        basis = "content" if self.has_contents else "text"
        apart = torch.cat(self._apart)
        scores[f"art_fid_{basis}_{distance.name}"] = distance.art_scores(features, apart, blocks)
        times = self.board.images_per_content
        if times > 1:
            by_content = features.view(len(styles), -1, times, features.shape[1])
            values: list[float] = diversity(by_content).mean(1).tolist()
            scores[f"diversity_{distance.name}"] = Scores(values, styles.tolist(), "higher", "distance")
        return scores
