"""Whether images show what a prompt asks for, as a judge read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from functools import cache
from itertools import pairwise

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from stylekit.atelier import Scene, Style
from stylekit.atelier.palette import PALETTES
from stylekit.errors import ConfigError
from stylekit.reading import Reading

__all__ = [
    "STYLE_FIELDS",
    "all_objects",
    "content_scores",
    "counts_right",
    "kinds_present",
    "objects_present",
    "other_objects",
    "palette_distance",
    "relations_hold",
    "style_probability",
    "style_right",
    "style_scores",
]

STYLE_FIELDS = ("medium", "palette", "texture", "brushwork", "light")
"""What a small image can show of a style."""

# How the first of two things stands to the other, from centres (x, y), y downwards.
_HOLDS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "left of": lambda one, other: one[0] < other[0],
    "right of": lambda one, other: one[0] > other[0],
    "above": lambda one, other: one[1] < other[1],
    "below": lambda one, other: one[1] > other[1],
}


def content_scores(reading: Reading, scenes: Sequence[Scene]) -> dict[str, Float[Tensor, " n"]]:
    """Score what each image shows by the scene that its prompt says."""
    found = {
        "object_present": objects_present(reading, scenes),
        "all_objects": all_objects(reading, scenes),
        "counts": counts_right(reading, scenes),
        "relations": relations_hold(reading, scenes),
    }
    return {name: value.double() for name, value in found.items()}


def style_scores(reading: Reading, styles: Sequence[Style]) -> dict[str, Float[Tensor, " n"]]:
    """Tell for each image and field whether the word of its style is the likeliest."""
    return {field: style_right(reading, styles, field).double() for field in STYLE_FIELDS}


def objects_present(reading: Reading, scenes: Sequence[Scene]) -> Float[Tensor, " n"]:
    """Return for each image the share of the kinds of things of its scene that are present."""
    return kinds_present(reading, [{item.name for item in scene.objects} for scene in scenes])


def kinds_present(reading: Reading, kinds: Sequence[Set[str]]) -> Float[Tensor, " n"]:
    """Return for each image the share of some kinds of things that are present; NaN where there are none."""
    column = _columns(reading)
    wanted = torch.zeros(reading.present.shape, dtype=torch.bool)
    for row, names in enumerate(kinds):
        wanted[row, [_find(column, name) for name in names]] = True
    return (wanted & reading.present).sum(1) / wanted.sum(1)


def all_objects(reading: Reading, scenes: Sequence[Scene]) -> Bool[Tensor, " n"]:
    """Tell for each image whether every kind of thing of its scene is present."""
    return ~((_wanted(reading, scenes) > 0) & ~reading.present).any(1)


def other_objects(reading: Reading, scenes: Sequence[Scene]) -> Int[Tensor, " n"]:
    """Count for each image the kinds of things that are present but not in its scene."""
    return ((_wanted(reading, scenes) == 0) & reading.present).sum(1)


def counts_right(reading: Reading, scenes: Sequence[Scene]) -> Bool[Tensor, " n"]:
    """Tell for each image whether every kind of thing of its scene is there as often as it should be."""
    wanted = _wanted(reading, scenes)
    return ((wanted == 0) | (wanted == reading.counts)).all(1)


def relations_hold(reading: Reading, scenes: Sequence[Scene]) -> Float[Tensor, " n"]:
    """Return 1 where all relations of the scene hold, else 0; NaN where it has none that says a direction.

    Both things must be present, and the middle of all that is seen of the one must lie on the right side of
    that of the other.
    """
    column = _columns(reading)
    held = torch.full((len(scenes),), torch.nan)
    for row, scene in enumerate(scenes):
        found = []
        for relation, (one, other) in zip(scene.relations, pairwise(scene.objects), strict=True):
            if relation in _HOLDS:
                a, b = _find(column, one.name), _find(column, other.name)
                both = bool(reading.present[row, a] & reading.present[row, b])
                centres = reading.centres[row]
                found.append(both and bool(_HOLDS[relation](centres[a], centres[b])))
        if found:
            held[row] = float(all(found))
    return held


def style_right(reading: Reading, styles: Sequence[Style], field: str) -> Bool[Tensor, " n"]:
    """Tell for each image whether the likeliest word of a field, as "medium", is that of its style."""
    wanted = _words(reading, styles, field)
    return reading.style[field].argmax(1) == wanted


def style_probability(reading: Reading, styles: Sequence[Style], field: str) -> Float[Tensor, " n"]:
    """Return for each image the probability of its style's word of a field."""
    wanted = _words(reading, styles, field)
    return reading.style[field].gather(1, wanted[:, None])[:, 0]


def palette_distance(reading: Reading, styles: Sequence[Style]) -> Float[Tensor, " n"]:
    """Return for each image how far its palette is, in expectation, from that of its style.

    Two palettes are as far apart as their colours are from the nearest of the other palette on average,
    lengths in RGB of unit range; the expectation is over the judge's probabilities of palettes.
    """
    names = reading.words["palette"]
    distances = torch.stack([_palette_distances(style.palette, names) for style in styles])
    return (reading.style["palette"] * distances).sum(1)


def _wanted(reading: Reading, scenes: Sequence[Scene]) -> Int[Tensor, "n t"]:
    """Count the things of each scene."""
    column = _columns(reading)
    wanted = torch.zeros(reading.present.shape, dtype=torch.long)
    assert len(wanted) == len(scenes), "one scene for each image"
    for row, scene in enumerate(scenes):
        for item in scene.objects:
            wanted[row, _find(column, item.name)] += item.count
    return wanted


def _columns(reading: Reading) -> dict[str, int]:
    return {name: index for index, name in enumerate(reading.things)}


def _find(column: dict[str, int], name: str) -> int:
    if name not in column:
        raise ConfigError(f"The judge does not know the thing {name!r}. It knows: {', '.join(column)}.")
    return column[name]


def _words(reading: Reading, styles: Sequence[Style], field: str) -> Int[Tensor, " n"]:
    if field not in reading.words:
        raise ConfigError(f"The judge reads no {field!r} of a style, but {', '.join(reading.words)}.")
    return torch.tensor([reading.words[field].index(getattr(style, field)) for style in styles])


@cache
def _palette_distances(name: str, others: tuple[str, ...]) -> Float[Tensor, " p"]:
    mine = torch.tensor(PALETTES[name].rgb)
    found = []
    for other in others:
        apart = torch.cdist(mine, torch.tensor(PALETTES[other].rgb))
        found.append((apart.amin(0).mean() + apart.amin(1).mean()) / 2)
    return torch.stack(found)
