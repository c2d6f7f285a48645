"""What StyleGallery shows of how an image came about."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from methods.stylegallery.matching import Likeness
from stylekit.method import Explanation

__all__ = ["explain"]

_DIGITS = 4
_TINT = 0.55


def explain(
    content: Float[Tensor, "3 s s"],
    wanted: Int[Tensor, "h w"],
    references: Float[Tensor, "r 3 s s"],
    offered: Int[Tensor, "r h w"],
    matches: Sequence[Mapping[str, Any]],
    curves: Mapping[str, Sequence[float]],
) -> Explanation:
    """Tint every region of the references, and those of the content as what they take their style from."""
    pictures = {"content": _tinted(content, wanted)}
    for index, (image, labels) in enumerate(zip(references, offered, strict=True)):
        shown = torch.where(torch.isin(labels, wanted), labels, torch.zeros_like(labels))
        pictures[f"reference {index + 1}"] = _tinted(image, shown)
    table = {str(match["region"]): [match["reference"], match["reference_region"]] for match in matches}
    facts = {"matching": list(matches), "method.matching": table}
    return Explanation(pictures, facts, dict(curves))


def match_rows(
    likeness: Likeness, chosen: Sequence[int], numbers: Int[Tensor, "r 2"]
) -> list[dict[str, Any]]:
    """Say of each region of the content where it takes its style from, with the scores of that."""
    rows = []
    for index, region in enumerate(chosen):
        reference, number = numbers[region].tolist()
        scores = {
            name: round(float(part[index, region]), _DIGITS) for name, part in likeness._asdict().items()
        }
        rows.append({"region": index + 1, "reference": reference, "reference_region": number, **scores})
    return rows


def _tinted(image: Float[Tensor, "3 s s"], labels: Int[Tensor, "h w"]) -> Float[Tensor, "3 s s"]:
    size = (int(image.shape[1]), int(image.shape[2]))
    large = F.interpolate(labels[None, None].float(), size, mode="nearest")[0, 0].long()
    grey = image.mean(0).expand(3, -1, -1)
    colours = torch.tensor([_colour(number) for number in range(int(large.max()) + 1)], device=image.device)
    tinted = (1.0 - _TINT) * grey + _TINT * colours[large].permute(2, 0, 1)
    return torch.where(large > 0, tinted, grey)


def _colour(number: int) -> tuple[float, float, float]:
    """Go round the circle of hues by the golden ratio: neighbours in number are far apart."""
    return colorsys.hsv_to_rgb((0.618034 * number) % 1.0, 0.75, 0.95)
