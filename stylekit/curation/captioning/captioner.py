"""The contract of a captioner, and how it is asked until its answers are within their limits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from stylekit.curation.captioning.instruction import Attributes, Instruction, Question
from stylekit.curation.failure import Failure
from stylekit.curation.valid_text import valid_text

__all__ = ["OUTSIDE_LIMITS", "Captioner", "Query", "Subject", "ask"]

OUTSIDE_LIMITS = "answers outside their limits"
_QUOTED = 300  # characters of an answer that is told back


class Subject(NamedTuple):
    """An image to be described."""

    id: str
    image: bytes
    """The file."""
    truth: str | None = None
    """The prompt that it was drawn from, where it was drawn by the atelier."""


class Query(NamedTuple):
    """One question about one image."""

    subject: Subject
    question: Question
    complaint: str = ""
    """What was wrong with the answer before."""

    @property
    def text(self) -> str:
        """The words for the captioner."""
        return f"{self.question.text}\n\n{self.complaint}" if self.complaint else self.question.text


class Captioner(ABC):
    """Answers questions about images. Cheap to construct, picklable, and loads on first use."""

    reads_instructions: ClassVar[bool] = True
    """Whether it heeds the question; one that does not can say what is shown, and nothing else."""

    not_in_digest: ClassVar[frozenset[str]] = frozenset()
    """Settings that change how long an answer takes, and not what it says."""

    def files(self) -> list[Path]:
        """List the weights that it answers by, where they lie on this machine."""
        return []

    @abstractmethod
    def answer(self, queries: Sequence[Query]) -> list[str | Failure]:
        """Answer each question, or say why there is no answer; each depends on its own query only."""


def ask(
    captioner: Captioner, instruction: Instruction, subjects: Sequence[Subject], attempts: int
) -> list[Attributes | Failure]:
    """Ask everything about all subjects, and again, up to `attempts` times, what broke its limits."""
    found: list[dict[str, str | None]] = [{} for _ in subjects]
    failures: dict[int, Failure] = {}
    waiting = [(row, question, "") for row in range(len(subjects)) for question in instruction.questions]
    for _ in range(attempts):
        answers = captioner.answer([Query(subjects[row], question, said) for row, question, said in waiting])
        again = []
        for (row, question, _), answer in zip(waiting, answers, strict=True):
            if isinstance(answer, Failure):
                failures.setdefault(row, answer)
                continue
            answer = valid_text(answer)
            reading = question.read(answer)
            if reading.problems:
                again.append((row, question, _complaint(answer, reading.problems)))
            found[row].update(reading.attributes)
        waiting = [asked for asked in again if asked[0] not in failures]
        if not waiting:
            break
    for row, question, complaint in waiting:
        failures.setdefault(row, Failure(OUTSIDE_LIMITS, f"{question.name}: {complaint}"))
    return [failures.get(row, found[row]) for row in range(len(subjects))]


def _complaint(answer: str, problems: Sequence[str]) -> str:
    said = " ".join(answer.split())[:_QUOTED]
    return f"Your last answer was: {said!r}. {' '.join(problems)} Answer again."
