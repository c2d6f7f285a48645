"""The words of a style, and which of them make sense for which medium."""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "DISTRIBUTIONS",
    "EDGES",
    "FAMILIES",
    "IDENTITIES",
    "LIGHTS",
    "MEDIA",
    "OUTLINES",
    "MediumWords",
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
