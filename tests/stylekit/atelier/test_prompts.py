import pytest

from stylekit.atelier import MINI, sample_scenes, sample_styles
from stylekit.atelier.prompts import read_prompt
from stylekit.errors import ConfigError


def test_prompts_in_the_ateliers_words_stay_as_they_are() -> None:
    for scene, style in zip(sample_scenes(50, 3, repertoire=MINI), sample_styles(50, 3), strict=True):
        for prompt in (scene.prompt(), f"{scene.prompt()} {style.prompt()}", style.prompt(), ""):
            assert read_prompt(prompt, MINI) == prompt


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a cat beside a house", "A cat and a house on a plain background."),
        ("A CAT to the left of a tree on the grass.", "A cat left of a tree on the grass."),
        ("a star over a tent in the snow", "A star above a tent in the snow."),
        ("two rockets", "Two rockets on a plain background."),
    ],
)
def test_what_users_write_is_read_into_the_ateliers_words(written: str, read: str) -> None:
    assert read_prompt(written, MINI) == read


def test_films_may_move_and_images_may_not() -> None:
    assert read_prompt("a cat on the grass. The cat moves left.", MINI, moves=True).endswith(
        "The cat moves left."
    )
    with pytest.raises(ConfigError, match="only films move"):
        read_prompt("a cat on the grass. The cat moves left.", MINI)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a horse", "do not know the thing 'horse'"),
        ("a cat inside a house", "do not know the relation 'inside'"),
        ("a gryphon", "a thing of the vocabulary"),
        ("a cat in the style of nobody", "Not a style prompt"),
    ],
)
def test_unknown_words_are_named(written: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read_prompt(written, MINI)
