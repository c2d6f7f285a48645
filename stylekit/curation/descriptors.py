"""Which captions speak of a style: the filter that divides pictures between the pools."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import final

__all__ = ["WIKIART_ARTISTS", "WIKIART_GENRES", "WIKIART_STYLES", "WORDS", "Descriptors"]


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


# The classes of WikiArt as data sets of it are labelled.
WIKIART_STYLES = _names(
    "abstract expressionism, action painting, analytical cubism, art nouveau, baroque, color field painting, "
    "contemporary realism, cubism, early renaissance, expressionism, fauvism, high renaissance, "
    "impressionism, mannerism, minimalism, naive art, new realism, northern renaissance, pointillism, "
    "pop art, post impressionism, realism, rococo, romanticism, symbolism, synthetic cubism, ukiyo-e"
)
WIKIART_GENRES = _names(
    "abstract painting, cityscape, genre painting, illustration, landscape, nude painting, portrait, "
    "religious painting, sketch, still life"
)
WIKIART_ARTISTS = _names(
    "albrecht durer, boris kustodiev, camille pissarro, childe hassam, claude monet, edgar degas, "
    "eugene boudin, gustave dore, ilya repin, ivan aivazovsky, ivan shishkin, john singer sargent, "
    "marc chagall, martiros saryan, nicholas roerich, pablo picasso, paul cezanne, pierre auguste renoir, "
    "pyotr konchalovsky, raphael kirchner, rembrandt, salvador dali, vincent van gogh"
)
# StyleShot's own (arXiv 2407.01414), by the first author of MegaStyle.
WORDS = _names(
    "watercolor, painting, paint, art, draw, drawing, abstract, neoclass, rococo, monet, cubism, portrait, "
    "engrave, ink draw"
)
_YEAR = re.compile(r"\d{3}")  # or \d{4}, which holds one of three


@final
class Descriptors:
    """Style descriptors; a caption that holds one anywhere, or a year, speaks of a style.

    As in the paper's predecessor this is generous: "art" is found in "a party". What it lets through in error
    is a style picture with a plain style, and the balance thins those out.

    Args:
        words: Looked for in captions, whatever their case.
        more: Further words, of your own.
        years: Whether three or four digits in a row count.
    """

    def __init__(
        self,
        words: Sequence[str] = (*WORDS, *WIKIART_STYLES, *WIKIART_GENRES, *WIKIART_ARTISTS),
        more: Sequence[str] = (),
        years: bool = True,
    ) -> None:
        self.words = tuple(word.lower() for word in (*words, *more))
        self.years = years

    def match(self, caption: str) -> str | None:
        """Return the first descriptor in a caption, or its year; None if it speaks of no style."""
        text = caption.lower()
        for word in self.words:
            if word in text:
                return word
        year = _YEAR.search(text) if self.years else None
        return year[0] if year else None
