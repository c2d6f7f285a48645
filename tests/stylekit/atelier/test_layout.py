from __future__ import annotations

import random
from functools import cache

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from stylekit.atelier.layout import SceneMaps, lay_out
from stylekit.atelier.scene import SETTINGS, Relation, Scene, SceneObject, sample_scene
from stylekit.atelier.vocabulary import VOCABULARY, index_of

NUM = 40


def _scenes(relation: Relation, counts: tuple[int, int] = (1, 1)) -> list[Scene]:
    draw = random.Random(f"{relation} {counts}")
    inner = [thing.name for thing in VOCABULARY]
    outer = [thing.name for thing in VOCABULARY if thing.is_container] if relation == "inside" else inner
    scenes = []
    for _ in range(NUM):
        first, second = draw.choice(inner), draw.choice(outer)
        if first == second:
            continue
        objects = SceneObject(first, counts[0]), SceneObject(second, counts[1])
        scenes.append(Scene(objects, (relation,), draw.choice(list(SETTINGS))))
    return scenes


def _masks(maps: SceneMaps, row: int, name: str) -> list[tuple[int, Tensor]]:
    """Find the silhouettes of a thing, each with its place in the drawing order."""
    order = torch.where(maps.object_ids[row] == index_of(name))[0].tolist()
    return [(k, maps.shapes[row, k, 0] > 0) for k in order]


def _centre(mask: Tensor) -> tuple[float, float]:
    y, x = torch.where(mask)
    return x.float().mean().item() / mask.shape[1], y.float().mean().item() / mask.shape[0]


@cache
def _sampled(size: int = 64) -> tuple[list[Scene], SceneMaps]:
    scenes = [sample_scene(seed) for seed in range(96)]
    return scenes, lay_out(scenes, range(96), size)


@pytest.mark.parametrize("counts", [(1, 1), (1, 2), (2, 1), (2, 2), (1, 3)])
@pytest.mark.parametrize("relation", ["left of", "right of", "above", "below"])
def test_centroids_are_in_the_order_the_prompt_says(relation: Relation, counts: tuple[int, int]) -> None:
    scenes = _scenes(relation, counts)
    maps = lay_out(scenes, range(len(scenes)), 64)
    axis, sign = {"left of": (0, 1), "right of": (0, -1), "above": (1, 1), "below": (1, -1)}[relation]
    for row, scene in enumerate(scenes):
        first, second = (_masks(maps, row, item.name) for item in scene.objects)
        assert (len(first), len(second)) == counts
        for _, mine in first:
            for _, theirs in second:
                assert sign * (_centre(theirs)[axis] - _centre(mine)[axis]) > 0.05, scene.prompt()


@pytest.mark.parametrize("relation", ["in front of", "behind"])
def test_what_is_in_front_is_drawn_later_and_overlaps_but_does_not_hide(relation: Relation) -> None:
    scenes = _scenes(relation)
    maps = lay_out(scenes, range(len(scenes)), 64)
    touching = 0
    for row, scene in enumerate(scenes):
        (mine,), (theirs,) = (_masks(maps, row, item.name) for item in scene.objects)
        front, back = (mine, theirs) if relation == "in front of" else (theirs, mine)
        assert front[0] > back[0]
        overlap = (front[1] & back[1]).sum().item()
        touching += overlap > 0
        assert overlap < 0.6 * back[1].sum().item(), scene.prompt()
    assert touching >= 0.85 * len(scenes)


@pytest.mark.parametrize("count", [1, 2])
def test_what_is_inside_lies_within_its_container_and_on_top(count: int) -> None:
    scenes = _scenes("inside", (count, 1))
    maps = lay_out(scenes, range(len(scenes)), 64)
    for row, scene in enumerate(scenes):
        inner, ((order, outer),) = (_masks(maps, row, item.name) for item in scene.objects)
        for later, mask in inner:
            assert later > order
            assert (mask & outer).sum() >= 0.93 * mask.sum(), scene.prompt()
            assert mask.sum() > 10, scene.prompt()


def test_counts_are_right_and_padding_is_marked() -> None:
    scenes, maps = _sampled()
    assert maps.present.sum(1).tolist() == [sum(item.count for item in scene.objects) for scene in scenes]
    assert torch.equal(maps.present, maps.object_ids >= 0)
    assert (maps.shapes[~maps.present] == -1).all()


def test_things_stay_in_the_picture_and_do_not_hide_one_another() -> None:
    scenes, maps = _sampled()
    for row, scene in enumerate(scenes):
        masks = [maps.shapes[row, k, 0] > 0 for k in torch.where(maps.present[row])[0]]
        contained = {
            item.name
            for item, relation in zip(scene.objects, scene.relations, strict=False)
            if relation == "inside"
        }
        for k, mask in enumerate(masks):
            edge = mask[0].any() | mask[:, 0].any() | mask[:, -1].any()
            assert not edge, scene.prompt()
            if not contained:
                hidden = mask & torch.stack([*masks[k + 1 :], torch.zeros_like(mask)]).any(0)
                assert hidden.sum() < 0.6 * mask.sum(), scene.prompt()


@pytest.mark.parametrize(("count", "least"), [(1, 0.5), (2, 0.36), (3, 0.28), (4, 0.24)])
def test_things_are_large_enough_to_be_named(count: int, least: float) -> None:
    names = [thing.name for thing in VOCABULARY[::9]]
    scenes = [Scene((SceneObject(name, count),), (), "on the grass") for name in names]
    shapes = lay_out(scenes, range(len(scenes)), 64).shapes[:, :count, 0] > 0
    width, height = shapes.any(-2).sum(-1) / 64, shapes.any(-1).sum(-1) / 64
    assert torch.maximum(width, height).mean() > least


def test_size_words_show() -> None:
    scenes = [Scene((SceneObject("cat", 1, size),)) for size in ("small", "medium", "large")]
    areas = (lay_out(scenes, [3, 3, 3], 64).shapes[:, 0, 0] > 0).sum((1, 2)).tolist()
    assert areas[1] > 1.3 * areas[0]
    assert areas[2] > 1.2 * areas[1]


@pytest.mark.parametrize("setting", ["on the grass", "in the snow", "on a road", "in a room", "on a table"])
def test_what_stands_has_its_foot_on_the_ground_and_what_flies_is_above(setting: str) -> None:
    standing = [Scene((SceneObject(name),), (), setting) for name in ("cat", "house", "car", "tree")]
    maps = lay_out(standing, range(4), 64)
    for row in range(4):
        y, x = torch.where(maps.shapes[row, 0, 0] > 0)
        assert maps.backdrop[row, 0, y.max(), x[y.argmax()]] < 0.5
    flying = lay_out(
        [Scene((SceneObject("bird", 1, "small"), SceneObject("cat")), ("and",), setting)] * 8, range(8), 64
    )
    for row in range(8):
        ((_, bird),) = _masks(flying, row, "bird")
        assert flying.backdrop[row, 1][bird].mean() < 0.25


def test_backdrops_cover_everything_once_and_differ_by_setting_and_seed() -> None:
    scenes = [Scene((SceneObject("cat"),), (), setting) for setting in SETTINGS]
    maps, other = lay_out(scenes, [1] * len(scenes), 64), lay_out(scenes, [2] * len(scenes), 64)
    torch.testing.assert_close(maps.backdrop.sum(1), torch.ones(len(scenes), 64, 64))
    assert (maps.backdrop >= 0).all()
    distance = torch.cdist(maps.backdrop.flatten(1), maps.backdrop.flatten(1)) + 100 * torch.eye(len(scenes))
    assert distance.min() > 5
    changed = (maps.backdrop - other.backdrop).abs().sum((1, 2, 3)) > 0
    assert changed.tolist() == [setting != "on a plain background" for setting in SETTINGS]
    has_line = (maps.backdrop_line > 0).flatten(1).any(1)
    assert has_line.tolist() == changed.tolist()


def test_layout_depends_on_scene_and_seed_alone() -> None:
    scenes, together = _sampled()
    for row in (0, 17, 95):
        alone = lay_out([scenes[row]], [row], 64)
        for part, whole in zip(alone, together, strict=True):
            assert torch.equal(part[0], whole[row])
    first, second = lay_out([scenes[3]] * 2, [3, 4], 64).shapes
    assert not torch.equal(first, second)


def test_layout_does_not_depend_on_the_size() -> None:
    _, small = _sampled(64)
    _, large = _sampled(128)
    assert torch.equal(small.object_ids, large.object_ids)
    shapes = avg_pool2d(large.shapes.flatten(0, 2).unsqueeze(1), 2).view_as(small.shapes)
    near = small.shapes.abs() < 0.03
    assert (shapes - small.shapes)[near].abs().mean() < 0.001
    assert (avg_pool2d(large.backdrop, 2) - small.backdrop).abs().mean() < 0.01


def test_distances_are_in_image_widths() -> None:
    _, maps = _sampled(128)
    field = maps.shapes[:, 0, 0]
    slope = torch.hypot(field[:, 1:, 1:] - field[:, :-1, 1:], field[:, 1:, 1:] - field[:, 1:, :-1]) * 128
    near_edge = field[:, 1:, 1:].abs() < 0.02
    assert abs(slope[near_edge].median().item() - 1) < 0.1
