"""Styles as words: MegaStyle's prompt structure, every word of which the painter honours."""

from __future__ import annotations

import difflib
import math
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from stylekit.atelier.palette import COLOURS, PALETTES, Palette
from stylekit.atelier.style_words import DISTRIBUTIONS, EDGES, FAMILIES, IDENTITIES, LIGHTS, MEDIA
from stylekit.errors import ConfigError
from stylekit.split import Split, split_of

__all__ = ["Style", "count_styles", "palette_matched_group", "sample_style"]

_TEMPLATE = re.compile(
    r"In the style of (?P<identity>[^,]+), (?P<colours>[^,]+ with .+?) in (?P<distribution>[^,]+), "
    r"(?P<light>[^,]+) light, (?P<medium>[^,]+), (?P<texture>[^,]+), (?P<brushwork>[^,]+), "
    r"(?P<outline>[^,]+), (?P<edges>[^,]+)\."
)


@dataclass(frozen=True, slots=True)
class Style:
    """One style; every field is a word or phrase of style_words.py.

    Raises:
        ConfigError: A word is unknown, or does not go with the medium.
    """

    identity: str
    palette: str
    distribution: str
    light: str
    medium: str
    texture: str
    brushwork: str
    outline: str
    edges: str

    def __post_init__(self) -> None:
        for field, choices in _vocabulary(self.medium).items():
            _demand(
                getattr(self, field), choices, f"{field} of {self.medium}" if field in _OF_MEDIUM else field
            )

    def prompt(self) -> str:
        """Describe the style in MegaStyle's template, with the outline and edges that MegaStyle++ adds."""
        return (
            f"In the style of {self.identity}, {PALETTES[self.palette].phrase()} in {self.distribution}, "
            f"{self.light} light, {self.medium}, {self.texture}, {self.brushwork}, "
            f"{self.outline}, {self.edges}."
        )

    @classmethod
    def from_prompt(cls, prompt: str) -> Style:
        """Read a style back from its prompt."""
        match = _TEMPLATE.fullmatch(prompt.strip())
        if match is None:
            raise ConfigError(
                f"Not a style prompt of the atelier: {prompt!r}. It must read: In the style of {{identity}}, "
                "{main colour} with {other colours} in {colour distribution}, {light} light, {medium}, "
                "{texture}, {brushwork}, {outline}, {edges}."
            )
        words = match.groupdict()
        return cls(palette=_palette_of(words.pop("colours")).name, **words)


_OF_MEDIUM = ("texture", "brushwork", "outline")


def count_styles() -> int:
    """Return the number of distinct styles."""
    common = math.prod(map(len, (IDENTITIES, PALETTES, DISTRIBUTIONS, LIGHTS, EDGES)))
    return common * sum(math.prod(map(len, words[:3])) for words in MEDIA.values())


def sample_style(seed: int, **fixed: str) -> Style:
    """Draw a style uniformly over media, then over each attribute; `fixed` words stay as given."""
    random_state = random.Random(f"style {seed}")
    medium = fixed.get("medium") or random_state.choice(list(MEDIA))
    chosen = {field: random_state.choice(choices) for field, choices in _vocabulary(medium).items()}
    return Style(**{**chosen, "medium": medium, **fixed})


def palette_matched_group(seed: int, size: int = 8, split: Split | None = None) -> list[Style]:
    """Draw styles that share identity and colours and differ in medium, texture, stroke, outline or light.

    Some groups hold one medium, some mix the media of one family, so that neither colours nor the amount
    of bare ground tell the members apart. With a split, every member is of it.
    """
    random_state = random.Random(f"group {seed}")
    base = sample_style(random_state.getrandbits(32))
    media: Sequence[str] = (base.medium,)
    if random_state.random() < 0.5:
        media = FAMILIES[MEDIA[base.medium].family]
    shared = {field: getattr(base, field) for field in ("identity", "palette", "distribution")}
    group: list[Style] = []
    tries = 2_000 * size
    for attempt in range(tries):
        medium = media[(len(group) + seed) % len(media)]
        style = sample_style(random_state.getrandbits(32), medium=medium, **shared)
        # later attempts accept members that are less unlike the others, where a medium has few words
        if split is not None and split_of(style.prompt()) != split:
            continue
        if all(_differing(style, other) >= 3 - 3 * attempt // tries for other in group):
            group.append(style)
        if len(group) == size:
            return group
    raise ConfigError(f"Cannot draw {size} different styles of one palette; ask for a smaller group.")


def _vocabulary(medium: str) -> dict[str, Sequence[str]]:
    _demand(medium, MEDIA, "medium")
    words = MEDIA[medium]
    return {
        "identity": IDENTITIES,
        "palette": tuple(PALETTES),
        "distribution": DISTRIBUTIONS,
        "light": LIGHTS,
        "medium": tuple(MEDIA),
        "texture": words.textures,
        "brushwork": words.brushworks,
        "outline": words.outlines,
        "edges": EDGES,
    }


def _demand(word: str, choices: Iterable[str], field: str) -> None:
    choices = list(choices)
    if word not in choices:
        near = difflib.get_close_matches(word, choices, n=1, cutoff=0.0)
        raise ConfigError(f"Unknown {field} {word!r}; did you mean {near[0]!r}? Valid: {', '.join(choices)}.")


def _palette_of(phrase: str) -> Palette:
    names = [name.strip() for name in re.split(r" with |, | and ", phrase)]
    for name in names:
        _demand(name, COLOURS, "colour")
    for palette in PALETTES.values():
        if palette.phrase() == phrase:
            return palette
    near = max(
        PALETTES.values(),
        key=lambda palette: (palette.colours[0] == names[0]) + len({*palette.colours} & {*names}),
    )
    raise ConfigError(f"No palette is {phrase!r}; did you mean {near.phrase()!r}?")


def _differing(one: Style, other: Style) -> int:
    return sum(getattr(one, field.name) != getattr(other, field.name) for field in fields(Style))
