"""Instructions: what is asked of an image, how answers are read, and what prompt is made of them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from stylekit.curation.captioning.limits import Limits, clean, is_absent, words_of

__all__ = ["Attributes", "Instruction", "Question", "Reading"]

_LONGEST = 2_000  # characters; no answer within its limits comes near, and patterns are slow on more

Attributes = Mapping[str, str | None]
"""What an image was found to have; None where an attribute does not apply to it."""


class Reading(NamedTuple):
    """An answer as attributes, or what is wrong with it."""

    attributes: Attributes
    problems: list[str]


@dataclass(frozen=True)
class Question:
    """One thing that is asked of an image.

    Args:
        name: What it asks for.
        text: The question.
        form: A pattern that the whole answer matches, but for a full stop; its groups are the attributes.
        form_in_words: The same for those who are asked.
        limits: Of each attribute.
        max_words: Of the whole answer.
    """

    name: str
    text: str
    form: str
    form_in_words: str
    limits: Mapping[str, Limits]
    max_words: int = 100

    def read(self, answer: str) -> Reading:
        """Read an answer into attributes, and say which limits it breaks."""
        said = clean(answer)
        if not said:
            return Reading({}, ["The answer is empty."])
        if len(said) > _LONGEST:
            return Reading({}, [f"The answer has {len(said)} characters."])
        match = re.compile(rf"(?:{self.form})\.?", re.IGNORECASE).fullmatch(self._unlabelled(said))
        if match is None:
            return Reading({}, [f"The answer does not read: {self.form_in_words}"])
        values = {name: value.strip() for name, value in match.groupdict().items() if value is not None}
        problems = [
            f"The {name.replace('_', ' ')} {problem}: {value!r}."
            for name, value in values.items()
            for problem in self.limits[name].problems(value)
        ]
        if (length := len(words_of(said))) > self.max_words:
            problems.append(f"The answer has {length} words, at most {self.max_words} are allowed.")
        if problems:
            return Reading({}, problems)
        return Reading(
            {
                name: None if (value := values.get(name)) is None or is_absent(value) else value
                for name in self.limits
            },
            [],
        )

    def _unlabelled(self, said: str) -> str:
        label, colon, rest = said.partition(":")
        return rest.strip() if colon and label.lower().strip(" *") in ("answer", self.name) else said


class Instruction(ABC):
    """What is asked of an image to get one prompt, of its style or of its content."""

    column: ClassVar[str]
    """Of the rows, where the prompt goes."""
    attributes: ClassVar[tuple[str, ...]] = ()
    """The columns beside it; none: a plain caption will do."""
    questions: tuple[Question, ...]

    @abstractmethod
    def phrase(self, attributes: Attributes) -> str:
        """Make the prompt of the attributes."""
