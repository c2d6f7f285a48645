from __future__ import annotations

from collections.abc import Sequence

from stylekit.curation.captioning import (
    Captioner,
    ContentInstruction,
    Instruction,
    Limits,
    Query,
    Question,
    Subject,
    ask,
)
from stylekit.curation.failure import Failure


class Scripted(Captioner):
    """Says what it is told to, one answer after the other for each question of each subject."""

    def __init__(self, answers: dict[tuple[str, str], list[str | Failure]]) -> None:
        self.answers, self.asked = answers, []

    def answer(self, queries: Sequence[Query]) -> list[str | Failure]:
        self.asked.append([(query.subject.id, query.question.name) for query in queries])
        self.texts = [query.text for query in queries]
        return [self.answers[query.subject.id, query.question.name].pop(0) for query in queries]


class TwoQuestions(Instruction):
    column = "style"
    attributes = ("medium", "edges")

    def __init__(self) -> None:
        self.questions = tuple(
            Question(name, f"{name}?", f"(?P<{name}>.+)", "a word", {name: Limits(1)})
            for name in self.attributes
        )

    def phrase(self, attributes):
        return f"{attributes['medium']}, {attributes['edges']}"


A, B, C = (Subject(name, b"") for name in "abc")


def test_half_a_surrogate_in_an_answer_is_made_text():
    captioner = Scripted({("a", "medium"): ["ink\ud83d"], ("a", "edges"): ["soft"]})
    assert ask(captioner, TwoQuestions(), [A], attempts=1) == [{"medium": "ink?", "edges": "soft"}]


def test_only_what_broke_its_limits_is_asked_again_with_what_was_wrong():
    captioner = Scripted(
        {
            ("a", "medium"): ["ink"],
            ("a", "edges"): ["very sharp", "sharp"],
            ("b", "medium"): ["chalk"],
            ("b", "edges"): ["soft"],
        }
    )
    assert ask(captioner, TwoQuestions(), [A, B], attempts=3) == [
        {"medium": "ink", "edges": "sharp"},
        {"medium": "chalk", "edges": "soft"},
    ]
    assert captioner.asked == [
        [("a", "medium"), ("a", "edges"), ("b", "medium"), ("b", "edges")],
        [("a", "edges")],
    ]
    assert captioner.texts == [
        "edges?\n\nYour last answer was: 'very sharp'. The edges has 2 words, at most 1 are allowed: "
        "'very sharp'. Answer again."
    ]


def test_what_still_fails_is_rejected_with_its_reason():
    captioner = Scripted({("a", "medium"): ["ink"], ("a", "edges"): ["very sharp", ""]})
    (found,) = ask(captioner, TwoQuestions(), [A], attempts=2)
    assert found == Failure(
        "answers outside their limits", "edges: Your last answer was: ''. The answer is empty. Answer again."
    )


def test_a_failure_ends_the_questions_about_its_subject_only():
    down = Failure("endpoint unreachable", "refused")
    captioner = Scripted(
        {
            ("a", "medium"): [down],
            ("a", "edges"): ["very sharp"],
            ("b", "medium"): ["much ink", "ink"],
            ("b", "edges"): ["soft"],
        }
    )
    assert ask(captioner, TwoQuestions(), [A, B], attempts=3) == [down, {"medium": "ink", "edges": "soft"}]
    assert captioner.asked[1] == [("b", "medium")]


def test_nobody_is_asked_about_nothing():
    assert ask(Scripted({}), ContentInstruction(), [], attempts=3) == []
