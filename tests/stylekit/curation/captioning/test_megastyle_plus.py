from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stylekit.curation.captioning import AttributeInstruction

QUESTIONS = {question.name: question for question in AttributeInstruction().questions}
FULL = {
    "outline": "thin black outline",
    "identity": "risograph zine print",
    "dominant_colour": "dark teal",
    "accent_colour": "coral",
    "lighting": "from upper left with gradual falloff",
    "pattern": "small halftone dots",
    "surface": "grainy matte paper",
    "edges": "sharp",
    "brushwork": "fine layered hatching",
    "medium": "misregistered screen print",
}


def test_each_attribute_has_its_own_question():
    assert list(QUESTIONS) == [
        "outline", "identity", "colour", "lighting", "texture", "edges", "brushwork", "medium",
    ]  # fmt: skip
    assert AttributeInstruction.attributes == tuple(FULL)


def test_the_template_with_all_its_parts():
    assert AttributeInstruction().phrase(FULL) == (
        "with thin black outline. In the style of risograph zine print, dark teal with coral accents, "
        "from upper left with gradual falloff lighting, small halftone dots as repeating visual patterns, "
        "grainy matte paper surface, sharp edges, fine layered hatching, in misregistered screen print."
    )


def test_parts_that_do_not_apply_are_left_out():
    absent = dict.fromkeys(("outline", "pattern", "edges", "brushwork", "medium"))
    assert AttributeInstruction().phrase(FULL | absent) == (
        "In the style of risograph zine print, dark teal with coral accents, "
        "from upper left with gradual falloff lighting, grainy matte paper surface."
    )


@settings(deadline=None)
@given(st.sets(st.sampled_from(["outline", "pattern", "edges", "brushwork", "medium"])))
def test_any_parts_make_a_sentence(absent):
    said = AttributeInstruction().phrase(FULL | dict.fromkeys(absent))
    for name, value in FULL.items():
        assert (value in said) == (name not in absent)
    assert said.endswith(".")
    assert ", ," not in said


@pytest.mark.parametrize(
    ("name", "answer", "attributes"),
    [
        ("outline", "With thin black outline.", {"outline": "thin black outline"}),
        ("outline", "N/A", {"outline": None}),
        ("identity", "In the style of Ukiyo-e", {"identity": "Ukiyo-e"}),
        (
            "colour",
            "dark teal with coral accents",
            {"dominant_colour": "dark teal", "accent_colour": "coral"},
        ),
        ("lighting", "from upper left, gradual", None),
        ("lighting", "from above with hard shadows lighting", {"lighting": "from above with hard shadows"}),
        ("texture", "N/A; rough canvas surface.", {"pattern": None, "surface": "rough canvas"}),
        ("texture", "wavy stripes; matte", {"pattern": "wavy stripes", "surface": "matte"}),
        ("edges", "Sharp edges.", {"edges": "Sharp"}),
        ("brushwork", "n/a", {"brushwork": None}),
        ("medium", "in granular watercolour wash", {"medium": "granular watercolour wash"}),
    ],
)
def test_answers_are_read(name, answer, attributes):
    assert QUESTIONS[name].read(answer).attributes == (attributes or {})


@pytest.mark.parametrize(
    ("name", "answer", "problem"),
    [
        ("outline", "very thin and black outline", "The outline has 5 words, at most 4 are allowed"),
        ("outline", "thin black", "The outline must say one of contour,"),
        ("identity", "late soviet cartoon modernism", "The identity has 4 words, at most 3 are allowed"),
        ("identity", "Digital art", "The identity is too general"),
        ("identity", "N/A", "The identity must not be N/A"),
        ("colour", "teal", "The answer does not read: dominant colour with accent colour"),
        ("colour", "ocean teal with coral", "The dominant colour must not say 'ocean'"),
        ("lighting", "golden from the left", "The lighting must not say 'golden'"),
        ("lighting", "a b c d e f g h i", "The lighting has 9 words, at most 8 are allowed"),
        ("texture", "tiny flowers; matte", "The pattern must say one of arabesques, arcs,"),
        ("texture", "dots; soft paper", "The surface must not say 'soft'"),
        ("texture", "matte paper", "The answer does not read: pattern or N/A; surface"),
        ("edges", "blurry", "The edges must not say 'blurry'"),
        ("medium", "flat digital art", "The medium must not say 'digital art'"),
        ("medium", "oil on old stretched canvas", "The medium has 5 words, at most 4 are allowed"),
    ],
)
def test_limits_hold(name, answer, problem):
    (found,) = QUESTIONS[name].read(answer).problems
    assert found.startswith(problem)
