"""Whether each thing in an image has the style of the reference that shows the same kind of thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from stylekit.benchmarks.benchmark import Scores
from stylekit.benchmarks.layout_keeping import LayoutKeeping
from stylekit.benchmarks.region_descriptors import EarlyRegions, LabRegions, RegionDescriptor
from stylekit.benchmarks.regional_board import RegionalBoard
from stylekit.foundation.efficientnet import EfficientNetLite0
from stylekit.metrics import Better, Unit

__all__ = ["RegionalScorer", "regional_scores"]

_FORMS: tuple[tuple[str, Better, Unit], ...] = (
    ("regional_style", "higher", "percent"),
    ("regional_distance", "lower", "distance"),
    ("structure", "higher", "ratio"),
    ("art_product", "lower", "distance"),
    ("style_distance", "lower", "distance"),
    ("seconds", "lower", "seconds"),
)
"""By what a name begins with."""


class RegionalScorer:
    """Scores one image for each row of a board, at the board's size.

    Args:
        board: Whose masks and references are meant.
        layout: Compares layouts with the content images'; None leaves it out.
        network: Of early features; None leaves these out.
        device: Where networks work.
    """

    def __init__(
        self,
        board: RegionalBoard,
        layout: LayoutKeeping | None,
        network: EfficientNetLite0 | None,
        device: torch.device,
    ) -> None:
        self.board, self.layout = board, layout
        self._early = EarlyRegions(network, device) if network else None
        described: list[RegionDescriptor] = [LabRegions(), *([self._early] if self._early else [])]
        masks = board.reference_masks.transpose(1, 2)  # n s 2 h w
        self._references = [(one, one.describe(board.references, masks)) for one in described]
        if self._early is not None:
            self._whole = self._early.describe(board.references, _everywhere(board.references))
        self._right = torch.tensor([row.right for row in board.rows])

    def score(
        self, images: Float[Tensor, "n 3 h w"], costs: Mapping[str, Float[Tensor, " n"]] | None = None
    ) -> tuple[dict[str, Scores], dict[str, Scores]]:
        """Score by the right assignment; regions also by the wrong one, the two kinds exchanged."""
        right, wrong = dict(costs or {}), dict[str, Tensor]()
        for descriptor, references in self._references:
            distances = descriptor.distances(descriptor.describe(images, self.board.masks), references)
            for found, assignment in ((right, self._right), (wrong, self._right.flip(1))):
                style, distance = regional_scores(distances, assignment)
                found[f"regional_distance_{descriptor.name}"] = distance
                if distances.shape[2] > 1:
                    found[f"regional_style_{descriptor.name}"] = style
        if self.layout is not None:
            right["structure"] = self.layout(images, self.board.contents)
            right["art_product"] = (2.0 - right["structure"]) * (1.0 + right["regional_distance_lab"])
        if self._early is not None:
            whole = self._early.describe(images, _everywhere(images))
            nearest = self._early.distances(whole, self._whole)[:, 0].amin(1)
            right[f"style_distance_{self._early.name}"] = nearest
        return _as_scores(right), _as_scores(wrong)


def regional_scores(
    distances: Float[Tensor, "n k s"], right: Int[Tensor, "n k"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Return the share of regions whose nearest reference is the right one, and how far that one is."""
    own = distances.gather(2, right[..., None])[..., 0]
    return (distances.argmin(2) == right).double().mean(1), own.double().mean(1)


def _everywhere(images: Float[Tensor, "*n 3 h w"]) -> Tensor:
    return torch.ones_like(images[..., :1, :, :], dtype=torch.bool)


def _as_scores(found: Mapping[str, Tensor]) -> dict[str, Scores]:
    scores = {}
    for name, values in found.items():
        better, unit = next((better, unit) for begin, better, unit in _FORMS if name.startswith(begin))
        clusters: Sequence[int] = range(len(values))
        scores[name] = Scores(values.tolist(), list(clusters), better, unit)
    return scores
