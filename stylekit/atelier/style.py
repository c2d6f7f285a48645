"""Styles as words: MegaStyle's prompt structure, every word of which the painter honours."""

from __future__ import annotations

import difflib
import math
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

from stylekit.atelier.palette import COLOURS, PALETTES, Palette
from stylekit.errors import ConfigError
from stylekit.split import Split, split_of

__all__ = [
    "DISTRIBUTIONS",
    "EDGES",
    "FAMILIES",
    "IDENTITIES",
    "LIGHTS",
    "MEDIA",
    "OUTLINES",
    "MediumWords",
    "Style",
    "count_styles",
    "palette_matched_group",
    "sample_style",
]

IDENTITIES = (
    "minimalism",
    "art deco",
    "pop art",
    "folk art",
    "art nouveau",
    "cubism",
    "mid-century modern",
    "bauhaus",
    "memphis design",
    "op art",
    "ukiyo-e",
    "impressionism",
    "psychedelic art",
    "travel poster",
    "storybook illustration",
    "film noir",
)
DISTRIBUTIONS = (
    "dominant background",
    "dominant subject",
    "uniform distribution",
    "accents on objects",
    "gradient from top",
    "horizontal bands",
    "scattered patches",
    "glow from the centre",
)
LIGHTS = (
    "even",
    "soft left",
    "soft right",
    "overhead",
    "backlit rim",
    "vignetted",
    "dramatic side",
    "dappled",
)
OUTLINES = (
    "no outline",
    "thin dark outline",
    "bold dark outline",
    "white outline",
    "coloured outline",
)
EDGES = ("sharp edges", "soft edges")


class MediumWords(NamedTuple):
    """The words that make sense for a medium."""

    textures: tuple[str, ...]
    brushworks: tuple[str, ...]
    outlines: tuple[str, ...] = OUTLINES
    family: str = "painted"
    """Media of one family mix ink and ground alike, so that amounts of colour do not tell them apart."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


_PAPERS = _words("smooth paper, paper grain, laid paper, speckled paper, crumpled paper")
_PRINTS = _words("smooth paper, paper grain, worn print, speckled paper, crumpled paper")
_CLOTHS = _words("smooth ground, canvas weave, rough tooth, wood grain")
_DARK = ("no outline", "thin dark outline", "bold dark outline", "coloured outline")

MEDIA: dict[str, MediumWords] = {
    "flat vector": MediumWords(
        _words("smooth paper, paper grain, speckled paper, canvas weave"),
        _words("solid fills, banded fills, striped fills, dotted fills"),
    ),
    "ink line": MediumWords(
        _PAPERS,
        _words("even pen lines, swelling brush lines, broken dry lines, doubled sketch lines"),
        _DARK,
        "ink",
    ),
    "hatching": MediumWords(
        _PAPERS,
        _words("fine parallel strokes, broad parallel strokes, crossed strokes, contour strokes"),
        _DARK,
        "hatched",
    ),
    "stippling": MediumWords(
        _PAPERS, _words("fine dots, coarse dots, flicked dashes, ringed dots"), _DARK, "stippled"
    ),
    "halftone": MediumWords(
        _PRINTS, _words("round dot screen, line screen, diamond screen, crossed screen"), family="hatched"
    ),
    "watercolour": MediumWords(
        _words("smooth paper, paper grain, rough tooth, laid paper"),
        _words("flat washes, wet-in-wet washes, layered glazes, dry brush strokes"),
    ),
    "oil paint": MediumWords(
        _CLOTHS, _words("long form strokes, short dabs, broad slab strokes, diagonal strokes")
    ),
    "pastel": MediumWords(
        _words("smooth paper, rough tooth, laid paper, canvas weave"),
        _words("broad side strokes, short grainy strokes, diagonal grainy strokes, smudged strokes"),
    ),
    "woodcut": MediumWords(
        _words("smooth paper, paper grain, wood grain, worn print"),
        _words("contour gouges, parallel gouges, bold knife cuts, fine gouges"),
        _DARK,
        "carved",
    ),
    "mosaic": MediumWords(
        _words("polished stone, speckled granite, veined marble, rough stone"),
        _words("square tesserae, irregular tesserae, brick tesserae, fine tesserae"),
        family="tiled",
    ),
    "stained glass": MediumWords(
        _words("clear glass, rippled glass, seeded glass, frosted glass"),
        _words("large panes, small panes, diamond panes, fan panes"),
        ("thin dark outline", "bold dark outline", "coloured outline"),
        family="glass",
    ),
    "pixel art": MediumWords(
        _words("clean screen, scan lines, screen grid, film grain"),
        _words("flat pixels, ordered dithering, checker dithering, chunky pixels"),
    ),
    "cut paper": MediumWords(
        _words("smooth paper, paper grain, laid paper, crumpled paper"),
        _words("clean scissor cuts, torn edges, stacked sheets, wavy scissor cuts"),
        ("no outline", "bold dark outline", "white outline", "coloured outline"),
    ),
    "chalk on board": MediumWords(
        _words("smooth ground, dusty board, rough tooth, wood grain"),
        _words("diagonal scribble, side-on strokes, crossed scribble, smudged strokes"),
        ("no outline", "white outline", "coloured outline"),
        "board",
    ),
    "blueprint": MediumWords(
        _words("smooth paper, paper grain, folded paper, worn print"),
        _words("fine drafting lines, bold drafting lines, section hatching, dashed drafting lines"),
        ("no outline", "white outline", "coloured outline"),
        "plan",
    ),
    "screen print": MediumWords(
        _PRINTS,
        _words("flat pulls, streaky pulls, mottled pulls, overprinted pulls"),
        family="printed",
    ),
    "crayon": MediumWords(
        _words("smooth paper, rough tooth, laid paper, wood grain"),
        _words("waxy long strokes, waxy short strokes, crossed waxy strokes, curled waxy strokes"),
    ),
    "gouache": MediumWords(
        _words("smooth paper, paper grain, rough tooth, canvas weave"),
        _words("flat opaque strokes, dry rake strokes, dabbed strokes, feathered strokes"),
    ),
    "embroidery": MediumWords(
        _words("smooth ground, canvas weave, linen twill, felt ground"),
        _words("satin stitches, seed stitches, cross stitches, long form stitches"),
    ),
    "charcoal": MediumWords(
        _words("smooth paper, rough tooth, laid paper, crumpled paper"),
        _words("vine strokes, broad block strokes, crossed strokes, smudged strokes"),
        _DARK,
        "hatched",
    ),
}

FAMILIES: dict[str, tuple[str, ...]] = {
    family: tuple(name for name, words in MEDIA.items() if words.family == family)
    for family in sorted({words.family for words in MEDIA.values()})
}

_TEMPLATE = re.compile(
    r"In the style of (?P<identity>[^,]+), (?P<colours>[^,]+ with .+?) in (?P<distribution>[^,]+), "
    r"(?P<light>[^,]+) light, (?P<medium>[^,]+), (?P<texture>[^,]+), (?P<brushwork>[^,]+), "
    r"(?P<outline>[^,]+), (?P<edges>[^,]+)\."
)


@dataclass(frozen=True, slots=True)
class Style:
    """One style; every field is a word or phrase of the vocabulary above.

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
