from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylekit.atelier import sample_scenes, sample_style, sample_styles
from stylekit.curation.captioning import ContentInstruction, StyleInstruction
from stylekit.errors import ConfigError

# Published (MegaStyle++, figure 5).
EXAMPLE = (
    "In the style of abstract line art, black with white in uniform distribution, even light, pen and ink, "
    "layered density, consistent stroke width and direction with soft edges."
)


def read_style(answer):
    (question,) = StyleInstruction().questions
    return question.read(answer)


def read_content(answer):
    (question,) = ContentInstruction().questions
    return question.read(answer)


def test_the_published_example_is_read_and_said_again():
    attributes, problems = read_style(EXAMPLE)
    assert problems == []
    assert attributes == {
        "identity": "abstract line art",
        "main_colour": "black",
        "other_colours": "white",
        "distribution": "uniform distribution",
        "light": "even",
        "medium": "pen and ink",
        "texture": "layered density",
        "brushwork": "consistent stroke width and direction with soft edges",
        "outline": None,
        "edges": None,
    }
    assert StyleInstruction().phrase(attributes) == EXAMPLE


def test_what_is_said_before_the_sentence_is_dropped():
    said = f"Sure! Here it is:\n\n**{EXAMPLE}**"
    assert StyleInstruction().phrase(read_style(said).attributes) == EXAMPLE


@settings(deadline=None)
@given(st.integers(0, 2**31))
def test_every_style_of_the_atelier_survives(seed):
    prompt = sample_style(seed).prompt()
    attributes, problems = read_style(prompt)
    assert problems == []
    assert StyleInstruction().phrase(attributes) == prompt


def test_every_style_is_within_the_words_that_are_asked_for():
    question = StyleInstruction(about_words=20, max_words=30).questions[0]
    assert "about 20 words" in question.text
    long = [style for style in sample_styles(50, 0) if len(style.prompt().replace("/", " ").split()) > 32]
    assert long
    assert "at most 30 are allowed" in question.read(long[0].prompt()).problems[-1]


@pytest.mark.parametrize(
    "answer",
    [
        "A painting of a cat.",
        "In the style of cubism.",
        EXAMPLE.replace("pen and ink, ", ""),
        EXAMPLE.replace(" with white", "").replace(" with soft edges", ""),
    ],
)
def test_a_sentence_without_a_slot_is_refused(answer):
    (problem,) = read_style(answer).problems
    assert problem.startswith(
        "The answer does not read: In the style of {artistic style}, {main colour} with"
    )


def test_no_slot_may_be_absent_or_long():
    assert read_style(EXAMPLE.replace("pen and ink", "N/A")).problems == [
        "The medium must not be N/A: 'N/A'."
    ]
    long = " ".join(["ink"] * 13)
    assert read_style(EXAMPLE.replace("pen and ink", long)).problems == [
        f"The medium has 13 words, at most 12 are allowed: {long!r}."
    ]


def test_every_scene_of_the_atelier_is_a_content():
    for scene in sample_scenes(300, 0):
        attributes, problems = read_content(scene.prompt())
        assert problems == []
        assert ContentInstruction().phrase(attributes) == scene.prompt()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("A watercolour cat.", "The content must not say 'watercolour': 'A watercolour cat.'."),
        ("This image shows a cat.", "The content must not say 'this image': 'This image shows a cat.'."),
        ("Cat", "The content has 1 word, at least 2 are needed: 'Cat'."),
    ],
)
def test_contents_say_nothing_of_style(answer, problem):
    assert read_content(answer).problems == [problem]


def test_a_limit_out_of_range_is_refused():
    with pytest.raises(ConfigError, match="max_words must be at least 16, not 5"):
        StyleInstruction(max_words=5)
