"""Words that name colours."""

from __future__ import annotations

from stylekit.atelier.palette import COLOURS

__all__ = ["COLOUR_TERMS", "HUES"]

_HUES = """
amber amethyst apricot aqua aquamarine aubergine azure beige black blue bronze brown burgundy carmine
cerise cerulean champagne charcoal chartreuse chocolate cobalt copper coral cream crimson cyan ebony ecru
emerald fuchsia gold golden gray green grey indigo ivory jade khaki lavender lemon lilac lime magenta
mahogany maroon mauve mint mustard navy ochre olive orange orchid peach periwinkle pink plum purple red
rose ruby russet rust saffron salmon sand sapphire scarlet sepia sienna silver tan taupe teal terracotta
turquoise ultramarine umber vermilion violet viridian white wine yellow
"""
_BESIDE = """
and bright brownish bluish cold cool dark deep dull dusty earthy faded greenish greyish grayish light
metallic monochrome multicolored multicoloured muted neon off-white pale pastel pinkish rainbow reddish
rich soft tones vivid warm yellowish
"""

HUES: frozenset[str] = frozenset(_HUES.split())
"""Names of colours in one word."""

COLOUR_TERMS: frozenset[str] = HUES.union(_BESIDE.split(), *(name.split() for name in COLOURS))
"""Those, those of the atelier, and what may stand beside them."""
