"""Named colours and the palettes made of them."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

__all__ = ["COLOURS", "PALETTES", "RGB", "Palette", "lightness", "mix"]

RGB = tuple[float, float, float]

_HEX = """
cream F6EBD3, ivory FBF5E6, bone EBE1CD, parchment EBD9B4, snow white FAFAF7, pearl grey D9DBDC, mist
D2E0E3, pale pink F8D9D3, blush F2B8B0, coral F2725C, salmon F4978E, vermilion E2412B, scarlet C8202F,
crimson A31D33, burgundy 6B1A2C, maroon 4A1420, brick red A8452F, terracotta CB6A45, rust B04A1E, burnt
orange D8641C, tangerine F58A1F, apricot FBBF8A, peach FAD0B0, amber F2A516, mustard DDA62B, ochre
C08A2D, gold E8BC3F, lemon F9E24C, butter FBEBA5, sand DCC499, khaki B9A878, olive 6F7030, moss 5B7A3A,
sage A6B894, mint B8E3CC, pistachio CFE3A5, lime A8CF38, leaf green 4FA24B, emerald 0E8A5F, forest green
1F5134, pine 163A30, jade 3FA98A, teal 12777C, deep teal 0B4650, turquoise 2BB6B4, aqua 8FDBDD, sky blue
8CC7EC, powder blue C3DFF0, cornflower 5F8FDB, azure 2A7FD0, cobalt 1F4FB0, ultramarine 2B2F9C, navy
16264D, midnight 0F1630, indigo 34307A, periwinkle 9AA0E3, lavender CFC4EC, lilac B797D8, violet 7A4FB5,
plum 5B2A5E, aubergine 35183C, magenta C72C84, hot pink F0509A, rose E58AA3, dusty rose C98C8C, mauve
9C7A98, chocolate 4A2C1D, umber 5E4330, sienna 9A5530, caramel BE8349, tan CFA877, taupe 8F8073, slate
4F5D6B, steel blue 5A7C9C, charcoal 2C2E33, ink black 17171C, silver B9BEC4, graphite 45474D
"""

# The first colour of each is its main one. Every palette has a light and a dark colour, so that an
# object can always be set off from what is behind it.
_PALETTES = """
harbour: navy, cream, coral, sky blue, mustard
orchard: leaf green, ivory, scarlet, forest green, butter
desert dusk: terracotta, peach, plum, amber, deep teal
lagoon: turquoise, snow white, navy, coral, lemon
rose garden: rose, ivory, burgundy, moss, blush
autumn lane: burnt orange, parchment, chocolate, gold, olive
nordic: slate, bone, brick red, powder blue, mustard
candy: hot pink, snow white, turquoise, lemon, indigo
deep forest: pine, pistachio, ochre, leaf green, cream
cornfield: mustard, ivory, azure, rust, forest green
sorbet: apricot, mint, rose, snow white, plum
night market: midnight, vermilion, amber, aqua, cream
porcelain: cobalt, snow white, sky blue, navy, gold
clay studio: sienna, bone, charcoal, sage, terracotta
lavender field: lavender, butter, violet, moss, aubergine
retro kitchen: jade, cream, tangerine, maroon, mustard
ember: crimson, peach, charcoal, tangerine, parchment
glacier: powder blue, steel blue, midnight, snow white, turquoise
olive grove: olive, parchment, terracotta, pine, sage
peacock: deep teal, gold, emerald, ivory, magenta
old postcard: dusty rose, parchment, steel blue, chocolate, ochre
carnival: vermilion, lemon, cobalt, ivory, emerald
fog: silver, snow white, slate, dusty rose, ink black
moss and stone: moss, bone, taupe, charcoal, lime
sunrise: salmon, butter, violet, tangerine, midnight
coffee house: umber, cream, caramel, brick red, sage
seaside: azure, ivory, sand, scarlet, navy
plum jam: plum, pale pink, magenta, gold, ivory
tea ceremony: sage, ivory, crimson, pine, tan
circus tent: scarlet, cream, navy, gold, teal
aurora: indigo, mint, magenta, aqua, ivory
savanna: gold, cream, rust, olive, chocolate
winter berry: forest green, snow white, crimson, mist, ochre
denim: steel blue, cream, navy, caramel, coral
flamingo: coral, pale pink, teal, snow white, deep teal
copper mine: rust, mist, jade, graphite, apricot
violet hour: violet, peach, midnight, rose, lemon
spring: pistachio, ivory, hot pink, forest green, sky blue
newsprint: graphite, bone, vermilion, silver, ink black
citrus: lime, snow white, tangerine, forest green, lemon
royal: ultramarine, ivory, gold, crimson, periwinkle
mushroom: taupe, cream, burgundy, khaki, chocolate
neon night: aubergine, hot pink, turquoise, lemon, lavender
dune: sand, ivory, steel blue, rust, umber
jade temple: emerald, parchment, vermilion, pine, gold
bluebell: cornflower, ivory, indigo, pistachio, rose
cherry blossom: blush, snow white, crimson, slate, sage
mineral: mauve, mist, deep teal, ochre, ivory
tropics: teal, lemon, coral, pine, aqua
monsoon: charcoal, mist, turquoise, amber, steel blue
bakery: caramel, cream, maroon, blush, teal
periwinkle sky: periwinkle, butter, ultramarine, coral, snow white
lacquer: ink black, scarlet, gold, bone, emerald
meadow: jade, butter, forest green, lilac, ivory
"""


def _rgb(code: str) -> RGB:
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


COLOURS: dict[str, RGB] = {" ".join(words[:-1]): _rgb(words[-1]) for words in map(str.split, _HEX.split(","))}


class Palette(NamedTuple):
    """A named colour scheme: the main colour and four others."""

    name: str
    colours: tuple[str, ...]
    """Names of the colours, the main one first."""

    @property
    def rgb(self) -> list[RGB]:
        return [COLOURS[name] for name in self.colours]

    def phrase(self) -> str:
        """Name the colours as a prompt does, which is unique to the palette."""
        main, *others = self.colours
        return f"{main} with {', '.join(others[:-1])} and {others[-1]}"


PALETTES: dict[str, Palette] = {
    name: Palette(name, tuple(colour.strip() for colour in colours.split(",")))
    for name, _, colours in (line.partition(":") for line in _PALETTES.strip().splitlines())
}


@cache
def lightness(rgb: RGB) -> float:
    """Return CIE L* of an sRGB colour, 0 (black) to 100 (white)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance


def mix(one: RGB, other: RGB, amount: float) -> RGB:
    """Blend two colours: `one` at amount 0, `other` at amount 1."""
    (red, green, blue), (to_red, to_green, to_blue) = one, other
    return (
        red + (to_red - red) * amount,
        green + (to_green - green) * amount,
        blue + (to_blue - blue) * amount,
    )
