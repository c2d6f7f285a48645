from __future__ import annotations

from stylekit.curation.captioning import Limits, Question

COLOUR = Question(
    "colour",
    "Which colours?",
    "(?P<main>.+?) with (?P<accent>.+?)(?: accents?)?",
    "main with accent",
    {"main": Limits(2), "accent": Limits(2, is_optional=True)},
    max_words=5,
)


def test_an_answer_becomes_attributes():
    expected = {"main": "Dark red", "accent": "gold"}
    for answer in (
        "Dark red with gold",
        "Dark red with gold accents.",
        '"Colour: Dark red with gold"',
        "Answer: Dark red with gold",
    ):
        assert COLOUR.read(answer) == (expected, [])


def test_what_does_not_apply_is_none():
    assert COLOUR.read("black with N/A") == ({"main": "black", "accent": None}, [])


def test_another_form_is_refused_and_the_form_named():
    assert COLOUR.read("red and gold") == ({}, ["The answer does not read: main with accent"])


def test_an_empty_answer_is_refused():
    assert COLOUR.read(" \n") == ({}, ["The answer is empty."])
    assert COLOUR.read("<think>never stops") == ({}, ["The answer is empty."])


def test_each_broken_limit_is_named():
    assert COLOUR.read("very dark red with pale and shiny gold").problems == [
        "The main has 3 words, at most 2 are allowed: 'very dark red'.",
        "The accent has 4 words, at most 2 are allowed: 'pale and shiny gold'.",
        "The answer has 8 words, at most 5 are allowed.",
    ]


def test_a_runaway_answer_is_not_searched():
    assert COLOUR.read("with " * 10_000) == ({}, ["The answer has 49999 characters."])
