"""A skewed pool of style prompts in the atelier's words, in which it is known what duplicates what."""

from __future__ import annotations

import random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylekit.atelier.palette import PALETTES
from stylekit.atelier.style_words import DISTRIBUTIONS, EDGES, IDENTITIES, LIGHTS, MEDIA
from stylekit.errors import ConfigError

__all__ = ["KINDS", "PromptPool", "make_prompt_pool"]

KINDS = ("original", "exact", "near", "paraphrase")
"""A row of its own, or a duplicate: in other case or punctuation, with a word or two changed, or reworded."""

_COLOURS = tuple(palette.phrase() for palette in PALETTES.values())
_MEDIA = tuple(MEDIA)
# Of the words that every medium has; what follows them is of the medium.
_COMMON = (_MEDIA, IDENTITIES, _COLOURS, DISTRIBUTIONS, LIGHTS, EDGES)
_OF_MEDIUM = tuple(words[:3] for words in MEDIA.values())
_FILLERS = ("quiet", "rather", "fairly", "vivid", "gentle", "almost", "mostly", "clearly", "faintly", "truly")
_SYNONYMS = {
    "light": "lighting", "no": "without", "soft": "blurred", "sharp": "crisp", "thin": "slender",
    "bold": "heavy", "strokes": "marks", "lines": "strokes of the pen", "smooth": "sleek", "rough": "coarse",
    "coloured": "tinted", "fills": "areas", "fine": "delicate", "overhead": "from above",
}  # fmt: skip
_OPENINGS = ("Made in the manner of", "A picture in the style of", "After the style of", "As in")


class PromptPool(NamedTuple):
    """Prompts, and the truth about them."""

    texts: list[str]
    original: NDArray[np.int64]
    """The row that each row was made from: its own where it is an original."""
    kind: NDArray[np.int8]
    """Of each row, its place in KINDS."""
    words: NDArray[np.int16]
    """One row of nine for each prompt: which word of each attribute its style has."""


def make_prompt_pool(
    count: int,
    seed: int = 0,
    exact: float = 0.1,
    near: float = 0.1,
    paraphrase: float = 0.1,
    exponent: float = 1.0,
) -> PromptPool:
    """Make `count` prompts, of which known shares are duplicates; every original is another style.

    An original stands before what was made from it, and can have several duplicates.

    Args:
        count: Number of rows.
        seed: Of everything that is drawn.
        exact: Share of rows that repeat another in other case, spaces or punctuation.
        near: Share that has a word or two inserted, left out or misspelt.
        paraphrase: Share with clauses in another order and synonyms.
        exponent: Of the Zipf law over media, identities and colours; 0 is uniform.
    """
    shares = [round(share * count) for share in (exact, near, paraphrase)]
    num_originals = count - sum(shares)
    if num_originals < 1:
        raise ConfigError(f"Shares of duplicates of {exact}, {near} and {paraphrase} leave no originals.")
    draw = np.random.default_rng(seed)
    words = _distinct(num_originals, exponent, draw)
    kind = np.repeat(np.arange(4, dtype=np.int8), [num_originals, *shares])
    original = np.arange(count)
    original[num_originals:] = draw.integers(num_originals, size=count - num_originals)
    # places in a shuffled pool, a duplicate's after its original's
    place = draw.random(count)
    behind = place[original[num_originals:]]
    place[num_originals:] = behind + (1.0 - behind) * place[num_originals:]
    order = np.argsort(place, kind="stable")
    rank = np.argsort(order)
    words = words[original[order]]
    texts = [_say(row) for row in words.tolist()]
    for at in np.flatnonzero(kind[order]).tolist():
        texts[at] = _CHANGES[kind[order[at]] - 1](texts[at], random.Random(f"{seed} {at}"))
    return PromptPool(texts, rank[original[order]], kind[order], words)


def _distinct(count: int, exponent: float, draw: np.random.Generator) -> NDArray[np.int16]:
    """Draw styles until so many are different; the first three attributes follow the Zipf law."""
    found = np.empty((0, 9), dtype=np.int16)
    for _ in range(50):
        drawn = np.concatenate([found, _draw_styles(2 * (count - len(found)) + 64, exponent, draw)])
        _, first = np.unique(drawn, axis=0, return_index=True)
        found = drawn[np.sort(first)][:count]
        if len(found) == count:
            return found
    raise ConfigError(
        f"The atelier has hardly more than {len(found)} such styles, not {count}: ask for fewer."
    )


def _draw_styles(count: int, exponent: float, draw: np.random.Generator) -> NDArray[np.int16]:
    columns = []
    for index, choices in enumerate(_COMMON):
        weights = np.arange(1, len(choices) + 1) ** -(exponent if index < 3 else 0.0)
        columns.append(draw.choice(len(choices), size=count, p=weights / weights.sum()))
    medium = columns[0]
    for attribute in range(3):
        numbers = np.array([len(words[attribute]) for words in _OF_MEDIUM])
        columns.append((draw.random(count) * numbers[medium]).astype(np.int64))
    return np.stack(columns, axis=1).astype(np.int16)


def _say(words: list[int]) -> str:
    """Say it as `Style.prompt` does, without looking every word up again."""
    medium, identity, colours, distribution, light, edges, texture, brushwork, outline = words
    textures, brushworks, outlines = _OF_MEDIUM[medium]
    return (
        f"In the style of {IDENTITIES[identity]}, {_COLOURS[colours]} in {DISTRIBUTIONS[distribution]}, "
        f"{LIGHTS[light]} light, {_MEDIA[medium]}, {textures[texture]}, {brushworks[brushwork]}, "
        f"{outlines[outline]}, {EDGES[edges]}."
    )


def _in_other_case(text: str, draw: random.Random) -> str:
    changes = (
        str.upper,
        str.lower,
        str.title,
        lambda same: same.replace(" ", "  "),
        lambda same: f" {same}\n",
        lambda same: same.removesuffix("."),
        lambda same: same.replace(",", ";"),
        lambda same: same.replace(". ", "! ").replace(", ", " , "),
    )
    return draw.choice(changes)(text)


def _edited(text: str, draw: random.Random) -> str:
    words = text.split()
    places = draw.sample(range(4, len(words)), draw.choice((1, 2)))
    for at in sorted(places, reverse=True):
        change = draw.randrange(3)
        if change == 0:
            words.insert(at, draw.choice(_FILLERS))
        elif change == 1:
            del words[at]
        else:
            cut = draw.randrange(1, len(words[at]))
            words[at] = words[at][:cut] + words[at][cut - 1 :]
    return " ".join(words)


def _paraphrased(text: str, draw: random.Random) -> str:
    identity, *clauses = text.removeprefix("In the style of ").removesuffix(".").split(", ")
    # the colours, with commas among them, stay together
    end = next(index for index, clause in enumerate(clauses) if " in " in clause or " and " in clause) + 1
    clauses = [", ".join(clauses[:end]), *clauses[end:]]
    draw.shuffle(clauses)
    said = ", ".join(" ".join(_SYNONYMS.get(word, word) for word in one.split()) for one in clauses)
    return f"{draw.choice(_OPENINGS)} {identity}: {said}."


_CHANGES = (_in_other_case, _edited, _paraphrased)
