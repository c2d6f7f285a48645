"""What an answer may say, and what is wrong with one that says something else."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Limits", "clean", "is_absent", "words_of"]

_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_THOUGHT = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)
_WRAPPING = " \t\n\"'`*“”‘’"
_ABSENT = {"n/a", "na", "none", "not applicable"}


def words_of(text: str) -> list[str]:
    """Return the words in lower case; `mid-century` is one."""
    return _WORD.findall(text.lower())


def clean(answer: str) -> str:
    """Take off what models put around an answer: thoughts, quotes, marks of emphasis, line breaks."""
    return " ".join(_THOUGHT.sub(" ", answer).split()).strip(_WRAPPING)


def is_absent(value: str) -> bool:
    """Whether an answer says that there is nothing to say."""
    return value.lower().strip(" .") in _ABSENT


@dataclass(frozen=True)
class Limits:
    """The limits of one attribute.

    Args:
        max_words: The most words.
        min_words: The fewest words.
        banned: Words and phrases that it must not have.
        only: The words that it may have, if not all.
        one_of: Words of which it must have one, if any.
        too_general: What is no answer when it is all that is said.
        is_optional: Whether it may be N/A.
    """

    max_words: int
    min_words: int = 1
    banned: tuple[str, ...] = ()
    only: frozenset[str] = frozenset()
    one_of: frozenset[str] = frozenset()
    too_general: tuple[str, ...] = ()
    is_optional: bool = False

    def problems(self, value: str) -> list[str]:
        """Say what is wrong with a value, each as the end of a sentence that begins with its name."""
        if is_absent(value):
            return [] if self.is_optional else ["must not be N/A"]
        words = words_of(value)
        found = []
        if not words:
            return ["is empty"]
        if len(words) < self.min_words:
            found.append(f"has {_count(len(words))}, at least {self.min_words} are needed")
        if len(words) > self.max_words:
            found.append(f"has {_count(len(words))}, at most {self.max_words} are allowed")
        if banned := [phrase for phrase in self.banned if _has(words, phrase)]:
            found.append(f"must not say {_listed(banned)}")
        if self.only and (others := [word for word in dict.fromkeys(words) if word not in self.only]):
            found.append(f"must not say {_listed(others)}")
        if self.one_of and self.one_of.isdisjoint(words):
            found.append(f"must say one of {', '.join(sorted(self.one_of))}")
        if " ".join(words) in self.too_general:
            found.append("is too general")
        return found


def _has(words: list[str], phrase: str) -> bool:
    wanted = phrase.split()
    return any(words[at : at + len(wanted)] == wanted for at in range(len(words) - len(wanted) + 1))


def _listed(words: list[str]) -> str:
    return ", ".join(repr(word) for word in words)


def _count(number: int) -> str:
    return "1 word" if number == 1 else f"{number} words"
