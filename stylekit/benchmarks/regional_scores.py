"""Whether each thing in an image has the style of the reference that shows the same kind of thing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from stylekit.benchmarks.benchmark import Scores
from stylekit.benchmarks.layout_keeping import LayoutKeeping
from stylekit.benchmarks.region_descriptors import EarlyRegions, LabRegions, RegionDescriptor
from stylekit.benchmarks.regional_board import RegionalBoard
from stylekit.foundation.efficientnet import EfficientNetLite0
from stylekit.metrics import Better, Unit

__all__ = ["RegionalScorer", "regional_scores", "shares_of_references"]

_FORMS: tuple[tuple[str, Better, Unit], ...] = (
    ("regional_style", "higher", "percent"),
    ("matched_right", "higher", "percent"),
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
        self,
        images: Float[Tensor, "n 3 h w"],
        costs: Mapping[str, Float[Tensor, " n"]] | None = None,
        sources: Sequence[Int[Tensor, "h2 w2"]] = (),
    ) -> tuple[dict[str, Scores], dict[str, Scores]]:
        """Score by the right assignment; regions also by the wrong one, the two kinds exchanged.

        Args:
            images: What is scored.
            costs: Further values of each.
            sources: For each cell of each content the reference that it takes its style from, from 1; none
                of methods that do not tell.
        """
        right, wrong = dict(costs or {}), dict[str, Tensor]()
        taken = self._taken(sources)
        if taken is not None:
            right["matched_right"] = taken.gather(2, self._right[..., None])[..., 0].mean(1)
        for descriptor, references in self._references:
            distances = descriptor.distances(descriptor.describe(images, self.board.masks), references)
            for found, assignment in ((right, self._right), (wrong, self._right.flip(1))):
                style, distance = regional_scores(distances, assignment)
                found[f"regional_distance_{descriptor.name}"] = distance
                if distances.shape[2] > 1:
                    found[f"regional_style_{descriptor.name}"] = style
            if taken is not None:
                matched, _ = regional_scores(distances, taken.argmax(2))
                right[f"regional_style_matched_{descriptor.name}"] = matched
        if self.layout is not None:
            right["structure"] = self.layout(images, self.board.contents)
            right["art_product"] = (2.0 - right["structure"]) * (1.0 + right["regional_distance_lab"])
        if self._early is not None:
            whole = self._early.describe(images, _everywhere(images))
            nearest = self._early.distances(whole, self._whole)[:, 0].amin(1)
            right[f"style_distance_{self._early.name}"] = nearest
        return _as_scores(right), _as_scores(wrong)

    def _taken(self, sources: Sequence[Int[Tensor, "h2 w2"]]) -> Float[Tensor, "n 2 s"] | None:
        """Return what share of each kind was told to take its style from each reference."""
        count = self.board.references.shape[1]
        if not sources or count == 1:
            return None
        size = (self.board.image_size, self.board.image_size)
        placed = F.interpolate(torch.stack([*sources])[:, None].float(), size, mode="nearest").long()
        return shares_of_references(placed[:, 0], self.board.masks, count)


def regional_scores(
    distances: Float[Tensor, "n k s"], right: Int[Tensor, "n k"]
) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
    """Return the share of regions whose nearest reference is the right one, and how far that one is."""
    own = distances.gather(2, right[..., None])[..., 0]
    return (distances.argmin(2) == right).double().mean(1), own.double().mean(1)


def shares_of_references(
    sources: Int[Tensor, "n h w"], masks: Bool[Tensor, "n k h w"], count: int
) -> Float[Tensor, "n k s"]:
    """Return the share of each region that takes its style from each of `count` references."""
    is_from = sources[:, None] == torch.arange(1, count + 1)[:, None, None]  # n s h w
    inside = torch.einsum("nkhw,nshw->nks", masks.double(), is_from.double())
    return inside / masks.flatten(2).sum(2, keepdim=True).clamp_min(1)


def _everywhere(images: Float[Tensor, "*n 3 h w"]) -> Tensor:
    return torch.ones_like(images[..., :1, :, :], dtype=torch.bool)


def _as_scores(found: Mapping[str, Tensor]) -> dict[str, Scores]:
    scores = {}
    for name, values in found.items():
        better, unit = next((better, unit) for begin, better, unit in _FORMS if name.startswith(begin))
        clusters: Sequence[int] = range(len(values))
        scores[name] = Scores(values.tolist(), list(clusters), better, unit)
    return scores
