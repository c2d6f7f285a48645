from collections import Counter

import pytest

from stylekit.atelier import MINI, Scene, SceneObject, sample_scenes, sample_styles
from stylekit.atelier.style_words import MEDIA
from stylekit.errors import ConfigError


def test_sampled_scenes_stay_in_the_repertoire_and_show_every_thing_about_as_often() -> None:
    scenes = sample_scenes(4000, seed=1, split="train", repertoire=MINI)
    for scene in scenes:
        MINI.check(scene)
        assert Scene.from_prompt(scene.prompt()) == scene
    counts = Counter(item.name for scene in scenes for item in scene.objects)
    assert set(counts) == set(MINI.things)
    assert max(counts.values()) < 2 * min(counts.values())
    assert {relation for scene in scenes for relation in scene.relations} == set(MINI.relations)
    assert {scene.setting for scene in scenes} == set(MINI.settings)
    assert {sum(item.count for item in scene.objects) for scene in scenes} == {1, 2, 3}


def test_repertoire_is_as_large_as_promised() -> None:
    assert len(set(MINI.things)) >= 48
    media = {style.medium for style in sample_styles(400, seed=0)}
    assert media == set(MEDIA)


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        (Scene((SceneObject("horse"),)), "do not know the thing 'horse'. Did you mean 'house'"),
        (Scene((SceneObject("cat", size="small"),)), "the size 'small'"),
        (Scene((SceneObject("cat"),), setting="in space"), "the setting 'in space'"),
        (Scene((SceneObject("cat"), SceneObject("house")), ("inside",)), "the relation 'inside'"),
        (Scene((SceneObject("cat", 4),)), "at most 3 things"),
    ],
)
def test_what_is_beyond_the_repertoire_is_refused_with_what_comes_near(scene: Scene, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        MINI.check(scene)
