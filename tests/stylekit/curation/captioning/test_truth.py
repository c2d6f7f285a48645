from __future__ import annotations

import pytest

from stylekit.atelier import sample_scenes, sample_styles
from stylekit.curation.captioning import (
    AtelierTruth,
    AttributeInstruction,
    Limits,
    Query,
    Question,
    Subject,
    ask,
)
from stylekit.curation.captioning.truth import read_truth
from stylekit.errors import ConfigError

SCENE, STYLE = sample_scenes(1, 0)[0], sample_styles(1, 0)[0]
TRUTH = f"{SCENE.prompt()} {STYLE.prompt()}"


def test_a_drawings_prompt_is_its_scene_and_its_style():
    assert read_truth(TRUTH) == (SCENE, STYLE)


def test_every_attribute_of_every_style_is_within_its_limits():
    styles = sample_styles(400, 3)
    subjects = [
        Subject(str(row), b"", f"{SCENE.prompt()} {style.prompt()}") for row, style in enumerate(styles)
    ]
    answers = ask(AtelierTruth(), AttributeInstruction(), subjects, attempts=1)
    for style, answer in zip(styles, answers, strict=True):
        assert answer["medium"] == style.medium
        assert answer["identity"] == style.identity
        assert answer["surface"] == style.texture
        assert answer["brushwork"] == style.brushwork
        assert answer["outline"] == (None if style.outline == "no outline" else style.outline)
        assert f"{answer['edges']} edges" == style.edges


def test_rows_without_truth_fail():
    subjects = [Subject("photo", b""), Subject("odd", b"", "a cat"), Subject("known", b"", TRUTH)]
    photo, odd, known = ask(AtelierTruth(), AttributeInstruction(), subjects, attempts=1)
    assert photo.reason == odd.reason == "no drawing of the atelier"
    assert "choose a captioner that looks at images" in photo.detail
    assert "'a cat'" in odd.detail
    assert known["identity"] == STYLE.identity


def test_other_questions_are_refused():
    question = Question("mood", "Mood?", "(?P<mood>.+)", "a word", {"mood": Limits(1)})
    with pytest.raises(ConfigError, match=r"knows content, style, outline, .*; not 'mood'"):
        AtelierTruth().answer([Query(Subject("a", b"", TRUTH), question)])
