from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylekit.curation.captioning.limits import Limits, clean, is_absent, words_of


@pytest.mark.parametrize(
    ("answer", "cleaned"),
    [
        ('  "Ink wash."\n', "Ink wash."),
        ("**abstract line art**", "abstract line art"),
        ("<think>It looks\nlike ink.</think>\n\npen and ink", "pen and ink"),
        ("<think>It looks like", ""),
        ("two\n  lines", "two lines"),
        ("“quoted”", "quoted"),
        ("", ""),
    ],
)
def test_answers_lose_what_is_around_them(answer, cleaned):
    assert clean(answer) == cleaned


def test_words_keep_their_hyphens_and_apostrophes():
    assert words_of("Mid-century, 'artist's' N/A 2-tone.") == ["mid-century", "artist's", "n", "a", "2-tone"]


@pytest.mark.parametrize("value", ["N/A", "n/a.", "None", "not applicable"])
def test_absence_has_several_words(value):
    assert is_absent(value)
    assert Limits(4, is_optional=True).problems(value) == []
    assert Limits(4).problems(value) == ["must not be N/A"]


@pytest.mark.parametrize(
    ("limits", "value", "problems"),
    [
        (Limits(3), "thin black ink line", ["has 4 words, at most 3 are allowed"]),
        (Limits(3, min_words=2), "ink", ["has 1 word, at least 2 are needed"]),
        (Limits(3), "thin black ink", []),
        (Limits(3), "--", ["is empty"]),
        (
            Limits(4, banned=("soft", "digital art")),
            "Soft digital art",
            ["must not say 'soft', 'digital art'"],
        ),
        (Limits(4, banned=("soft", "digital art")), "softer digital artwork", []),
        (Limits(4, only=frozenset({"dark", "red"})), "dark red cat cat", ["must not say 'cat'"]),
        (Limits(4, one_of=frozenset({"dots", "waves"})), "small flowers", ["must say one of dots, waves"]),
        (Limits(4, one_of=frozenset({"dots", "waves"})), "small dots", []),
        (Limits(4, too_general=("digital art",)), "Digital Art.", ["is too general"]),
        (Limits(4, too_general=("digital art",)), "flat digital art", []),
    ],
)
def test_problems_are_named(limits, value, problems):
    assert limits.problems(value) == problems


@settings(deadline=None)
@given(st.lists(st.sampled_from(["ink", "wash", "on", "rough", "paper"]), min_size=1, max_size=9))
def test_words_are_counted(words):
    assert (Limits(4).problems(" ".join(words)) == []) == (len(words) <= 4)


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_text_is_judged(text):
    assert isinstance(Limits(3, banned=("soft",), one_of=frozenset({"dots"})).problems(clean(text)), list)
