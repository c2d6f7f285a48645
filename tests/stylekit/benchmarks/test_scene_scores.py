"""Readings made up by hand get the scores that they must get."""

from __future__ import annotations

import pytest
import torch

from stylekit.atelier import Scene, sample_style
from stylekit.atelier.palette import PALETTES
from stylekit.benchmarks.scene_scores import (
    all_objects,
    counts_right,
    kinds_present,
    objects_present,
    other_objects,
    palette_distance,
    relations_hold,
    style_probability,
    style_right,
)
from stylekit.errors import ConfigError
from stylekit.reading import Reading

THINGS = ("cat", "dog", "star")


def reading(counts: list[list[int]], centres: list[list[tuple[float, float]]] | None = None) -> Reading:
    found = torch.tensor(counts)
    places = torch.zeros(*found.shape, 2) if centres is None else torch.tensor(centres)
    return Reading(THINGS, (found > 0).float(), found > 0, found, places, {}, {})


def scenes(*prompts: str) -> list[Scene]:
    return [Scene.from_prompt(prompt) for prompt in prompts]


def test_objects_and_counts() -> None:
    wanted = scenes("Two cats left of a dog on the grass.", "A star in the sky.", "A star in the sky.")
    read = reading([[2, 0, 1], [0, 0, 1], [0, 0, 2]])
    assert objects_present(read, wanted).tolist() == [0.5, 1.0, 1.0]
    assert all_objects(read, wanted).tolist() == [False, True, True]
    assert other_objects(read, wanted).tolist() == [1, 0, 0]
    assert counts_right(read, wanted).tolist() == [False, True, False]


def test_kinds_present_are_a_share_of_those_named() -> None:
    read = reading([[2, 0, 1], [2, 0, 1], [2, 0, 1]])
    share = kinds_present(read, [{"cat", "dog"}, {"dog"}, set()])
    assert share[:2].tolist() == [0.5, 0.0]
    assert share[2].isnan()


@pytest.mark.parametrize(
    ("relation", "cat", "dog"),
    [
        ("left of", (0.2, 0.5), (0.7, 0.4)),
        ("right of", (0.7, 0.4), (0.2, 0.5)),
        ("above", (0.5, 0.2), (0.6, 0.8)),
        ("below", (0.6, 0.8), (0.5, 0.2)),
    ],
)
def test_relation_holds_one_way_and_not_the_other(
    relation: str, cat: tuple[float, float], dog: tuple[float, float]
) -> None:
    wanted = scenes(f"A cat {relation} a dog on the grass.") * 3
    nowhere = (0.0, 0.0)
    read = reading(
        [[1, 1, 0], [1, 1, 0], [1, 0, 0]], [[cat, dog, nowhere], [dog, cat, nowhere], [cat, dog, nowhere]]
    )
    assert relations_hold(read, wanted).tolist() == [1.0, 0.0, 0.0]


def test_scene_without_direction_has_no_relation_and_all_of_several_must_hold() -> None:
    wanted = scenes(
        "A cat and a dog on the grass.", "A cat.".replace(".", " on the grass."),
        "A cat left of a dog below a star on the grass.", "A cat left of a dog below a star on the grass.",
    )  # fmt: skip
    good, bad = [(0.1, 0.5), (0.5, 0.6), (0.5, 0.1)], [(0.1, 0.5), (0.5, 0.6), (0.5, 0.9)]
    held = relations_hold(reading([[1, 1, 1]] * 4, [good, good, good, bad]), wanted)
    assert held.isnan().tolist() == [True, True, False, False]
    assert held[2:].tolist() == [1.0, 0.0]


def test_style_words_and_palette_distance() -> None:
    style = sample_style(0)
    names = tuple(PALETTES)
    right = names.index(style.palette)
    sure = torch.zeros(2, len(names))
    sure[0, right] = 1.0
    sure[1, (right + 1) % len(names)] = 1.0
    read = reading([[0, 0, 0]] * 2)._replace(words={"palette": names}, style={"palette": sure})
    assert style_right(read, [style] * 2, "palette").tolist() == [True, False]
    assert style_probability(read, [style] * 2, "palette").tolist() == [1.0, 0.0]
    near, far = palette_distance(read, [style] * 2).tolist()
    mine = torch.tensor(PALETTES[style.palette].rgb)
    theirs = torch.tensor(PALETTES[names[(right + 1) % len(names)]].rgb)
    to = (mine[:, None] - theirs).norm(dim=-1)
    expected = float((to.min(0).values.mean() + to.min(1).values.mean()) / 2)
    assert near == pytest.approx(0.0, abs=1e-3)
    assert far == pytest.approx(expected, abs=1e-4)


def test_unknown_thing_and_field_are_refused() -> None:
    with pytest.raises(ConfigError, match="does not know the thing 'rabbit'"):
        objects_present(reading([[0, 0, 0]]), scenes("A rabbit on the grass."))
    with pytest.raises(ConfigError, match="reads no 'medium'"):
        style_right(reading([[0, 0, 0]]), [sample_style(0)], "medium")
