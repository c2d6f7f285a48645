"""What StyleGallery shows of how an image came about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image, ImageDraw
from torch import Tensor

from methods.stylegallery.matching import Likeness
from methods.stylegallery.regions import nearest_labels
from stylekit.method import Explanation
from stylekit.region_colours import paint_regions

__all__ = ["Content", "References", "explain", "match_rows"]

_DIGITS = 4
_SIDE = 256  # of pictures, so that numbers can be read
_TINT, _FAINT = 0.55, 0.2


class Content(NamedTuple):
    """A content image, and the regions of its cells."""

    image: Float[Tensor, "3 s s"]
    regions: Int[Tensor, "h w"]
    """Its own; 0 for none."""
    wanted: Int[Tensor, "h w"]
    """Those of the references that they take their styles from; 0 for none."""


class References(NamedTuple):
    """References, and the regions of their cells."""

    images: Float[Tensor, "r 3 s s"]
    offered: Int[Tensor, "r h w"]
    """Numbered through."""
    numbers: Int[Tensor, "n 2"]
    """Of each region its reference, and its number there."""


def explain(
    content: Content,
    references: References,
    facts: Mapping[str, Any],
    curves: Mapping[str, Sequence[float]],
) -> Explanation:
    """Number the regions, and tint those of the content as what they take their style from.

    Args:
        content: What was optimised.
        references: What it takes its styles from.
        facts: To be told.
        curves: Both energies.
    """
    numbers, taken = references.numbers, set(content.wanted.flatten().tolist())
    own = {number: (str(number), _TINT) for number in _present(content.regions)}
    pictures = {"content": _tinted(content.image, content.regions, own)}
    matched = {
        number: (f"{numbers[number - 1, 0]}:{numbers[number - 1, 1]}", _TINT)
        for number in _present(content.wanted)
    }
    pictures["takes its style from"] = _tinted(content.image, content.wanted, matched)
    for index, (image, labels) in enumerate(zip(references.images, references.offered, strict=True)):
        shown = {
            number: (str(int(numbers[number - 1, 1])), _TINT if number in taken else _FAINT)
            for number in _present(labels)
        }
        pictures[f"reference {index + 1}"] = _tinted(image, labels, shown)
    sources = torch.cat([numbers.new_zeros(1), numbers[:, 0]])[content.wanted]
    return Explanation(pictures, dict(facts), dict(curves), sources.cpu())


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


def _present(labels: Int[Tensor, "h w"]) -> list[int]:
    return sorted(set(labels.flatten().tolist()) - {0})


def _tinted(
    image: Float[Tensor, "3 s s"],
    labels: Int[Tensor, "h w"],
    shown: Mapping[int, tuple[str, float]],
) -> Float[Tensor, "3 s2 s2"]:
    """Lay on each region its colour, as strongly as told, and write its name in the middle of it."""
    times = max(1, _SIDE // image.shape[-1])
    large = image.cpu().repeat_interleave(times, 1).repeat_interleave(times, 2)
    (cells,) = nearest_labels(labels.cpu()[None], (int(large.shape[1]), int(large.shape[2])))
    tinted = large.mean(0).expand(3, -1, -1).clone()
    (colours,) = paint_regions(cells[None])
    for number, (_, strength) in shown.items():
        mask = cells == number
        tinted[:, mask] = (1.0 - strength) * tinted[:, mask] + strength * colours[:, mask]
    picture = Image.fromarray((tinted * 255.0).round().byte().permute(1, 2, 0).numpy())
    pen = ImageDraw.Draw(picture)
    for number, (name, _) in shown.items():
        row, column = _inside(cells == number)
        pen.text((column, row), name, "white", anchor="mm", font_size=20, stroke_width=2, stroke_fill="black")
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255.0


def _inside(mask: Tensor) -> tuple[int, int]:
    """Return the place of a region that is nearest to its middle."""
    places = torch.nonzero(mask)
    row, column = places[(places - places.float().mean(0)).norm(dim=1).argmin()].tolist()
    return row, column
