from __future__ import annotations

import pytest
import torch

from stylekit.atelier import draw, draw_prompts, sample_palette_groups, sample_scenes, sample_styles
from stylekit.errors import ConfigError
from stylekit.split import split_of


@pytest.mark.parametrize("sample", [sample_scenes, sample_styles])
@pytest.mark.parametrize("split", [None, "train", "val", "test"])
def test_samples_are_distinct_and_of_their_split(sample, split):
    items = sample(20, seed=4, split=split)
    prompts = [item.prompt() for item in items]
    assert len({*prompts}) == 20
    assert items == sample(20, seed=4, split=split)
    assert items != sample(20, seed=5, split=split)
    if split is not None:
        assert {split_of(prompt) for prompt in prompts} == {split}


def test_palette_groups_are_distinct_and_of_their_split():
    groups = sample_palette_groups(5, 4, seed=0, split="test")
    assert [len(group) for group in groups] == [4] * 5
    assert {split_of(style.prompt()) for group in groups for style in group} == {"test"}
    assert len({style.palette for group in groups for style in group}) > 1
    assert groups == sample_palette_groups(5, 4, seed=0, split="test")


def test_prompts_draw_what_scenes_and_styles_do():
    scenes, styles, seeds = sample_scenes(3, seed=1), sample_styles(3, seed=1), [7, 8, 9]
    prompts = [f"{scene.prompt()} {style.prompt()}" for scene, style in zip(scenes, styles, strict=True)]
    assert torch.equal(draw_prompts(prompts, seeds), draw(scenes, styles, seeds))


def test_drawing_more_than_a_chunk_is_drawing_each():
    scenes, styles = sample_scenes(3, seed=2), sample_styles(3, seed=2)
    images = draw(scenes, styles, [1, 2, 3], size=512)
    assert images.shape == (3, 3, 512, 512)
    assert torch.equal(images[2:], draw(scenes[2:], styles[2:], [3], size=512))


def test_nothing_is_drawn_of_nothing():
    assert draw([], [], []).shape == (0, 3, 64, 64)


def test_wrong_arguments_are_explained():
    scenes, styles = sample_scenes(1, seed=0), sample_styles(1, seed=0)
    with pytest.raises(ConfigError, match="64 to 1024 pixels, not 32"):
        draw(scenes, styles, [0], size=32)
    with pytest.raises(ConfigError, match="one style and one seed for each scene"):
        draw(scenes, styles, [0, 1])
    with pytest.raises(ConfigError, match="names a scene, then a style"):
        draw_prompts(["A cat on the grass."], [0])


def test_scenes_of_one_thing_in_one_medium():
    scenes = sample_scenes(40, seed=3, split="train", max_things=1)
    assert {sum(item.count for item in scene.objects) for scene in scenes} == {1}
    assert {style.medium for style in sample_styles(20, seed=3, medium="ink line")} == {"ink line"}


def test_asking_for_more_than_there_is_says_so():
    fixed = {
        "identity": "cubism",
        "palette": "sorbet",
        "distribution": "uniform distribution",
        "light": "even",
    }
    with pytest.raises(ConfigError, match="hardly more than"):
        sample_styles(100_000, seed=0, medium="pixel art", **fixed)
