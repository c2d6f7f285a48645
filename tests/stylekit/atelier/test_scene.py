from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stylekit.atelier.scene import RELATIONS, SETTINGS, Scene, SceneObject, sample_scene
from stylekit.atelier.vocabulary import VOCABULARY, index_of
from stylekit.errors import ConfigError

NAMES = [thing.name for thing in VOCABULARY]
objects = st.builds(
    SceneObject, st.sampled_from(NAMES), st.integers(1, 4), st.sampled_from(["small", "medium", "large"])
)


def test_every_noun_count_size_and_setting_round_trips() -> None:
    for index, name in enumerate(NAMES):
        for count in (1, 2, 3, 4):
            for size in ("small", "medium", "large"):
                scene = Scene(
                    (SceneObject(name, count, size),), (), list(SETTINGS)[(index + count) % len(SETTINGS)]
                )
                assert Scene.from_prompt(scene.prompt()) == scene


@settings(max_examples=300, deadline=None)
@given(
    st.lists(objects, min_size=1, max_size=4),
    st.lists(st.sampled_from(RELATIONS), min_size=3, max_size=3),
    st.sampled_from(list(SETTINGS)),
)
def test_any_valid_scene_round_trips(items: list[SceneObject], relations: list[str], setting: str) -> None:
    try:
        scene = Scene(tuple(items), tuple(relations[: len(items) - 1]), setting)  # type: ignore[arg-type]
    except ConfigError:
        assume(False)
    assert Scene.from_prompt(scene.prompt()) == scene


def test_distinct_things_and_settings_have_distinct_words() -> None:
    nouns = [noun for thing in VOCABULARY for noun in {thing.name, thing.plural}]
    assert len(VOCABULARY) >= 200
    assert len(nouns) == len(set(nouns))
    assert len({thing.icon for thing in VOCABULARY}) == len(VOCABULARY)
    assert [index_of(name) for name in NAMES] == list(range(len(NAMES)))
    assert len(SETTINGS) >= 10


def test_prompts_read_as_english() -> None:
    scene = Scene(
        (SceneObject("cat", 1, "large"), SceneObject("house", 2, "small")), ("left of",), "on the grass"
    )
    assert scene.prompt() == "A large cat left of two small houses on the grass."
    assert Scene((SceneObject("hourglass"),), (), "on a table").prompt() == "An hourglass on a table."
    assert SceneObject("pair of scissors", 2).prompt() == "two pairs of scissors"


def test_reading_forgives_case_space_and_the_full_stop() -> None:
    assert Scene.from_prompt("  a cat   in front of one House in a room") == Scene.from_prompt(
        "A cat in front of a house in a room."
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("A catt on the grass.", "'cat'"),
        ("A cat lift of a dog on the grass.", "'left of'"),
        ("A cat on the gras.", "'on the grass'"),
        ("Two cat on the grass.", "'two cats'"),
        ("Five cats on the grass.", "two, three, four"),
        ("A cat inside a dog on the grass.", "house"),
        ("Three cats and two dogs on the grass.", "at most four"),
        ("A cat", "at the end"),
    ],
)
def test_mistakes_name_the_valid_word(text: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint):
        Scene.from_prompt(text)


def test_unknown_names_in_data_are_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="'rabbit'"):
        SceneObject("rabit")
    with pytest.raises(ConfigError, match="'in a room'"):
        Scene((SceneObject("cat"),), (), "in the room")


def test_sampled_scenes_are_valid_deterministic_and_various() -> None:
    scenes = [sample_scene(seed) for seed in range(400)]
    assert scenes == [sample_scene(seed) for seed in range(400)]
    assert len(set(scenes)) > 390
    assert {scene.setting for scene in scenes} == set(SETTINGS)
    assert {relation for scene in scenes for relation in scene.relations} == set(RELATIONS)
    for scene in scenes:
        assert Scene.from_prompt(scene.prompt()) == scene
