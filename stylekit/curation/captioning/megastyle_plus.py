"""MegaStyle++'s instructions: one question for each attribute of a style, each with its own limits.

The limits and the template are those that its paper publishes. The questions are ours.
"""

from __future__ import annotations

from typing import ClassVar, final

from stylekit.curation.captioning.colour_words import COLOUR_TERMS, HUES
from stylekit.curation.captioning.instruction import Attributes, Instruction, Question
from stylekit.curation.captioning.limits import Limits

__all__ = ["AttributeInstruction"]

_ONLY = "Answer with that alone: no sentence, no explanation, nothing about what the picture shows."
_VAGUE = ("warm", "soft", "ornate", "intricate", "detailed", "nice")
_GENERIC = (
    "art", "abstract", "abstract art", "digital art", "digital illustration", "digital painting", "drawing",
    "fantasy art", "fine art", "illustration", "modern art", "painting", "photography", "realism",
    "traditional art",
)  # fmt: skip
_PATTERNS = """
arabesques arcs bands blocks bricks chevrons circles cells crescents cross-hatching cubes curves
diamonds discs dots ellipses facets flecks grid grids hatching hexagons honeycomb lattice lattices lines
loops lozenges mesh mosaic ovals petals pixels polygons rays rectangles rhombi rings ripples scales
scallops scrolls shards specks spirals squares stars stripes swirls tessellation tesserae tiles
triangles waves weave whorls zigzags
"""
_OUTLINES = frozenset(("outline", "outlines", "contour", "contours", "line", "lines"))
_LIGHT_COLOURS = (*sorted(HUES), "warm", "cool", "cold")

_QUESTIONS = (
    Question(
        "outline",
        "Are the shapes in this picture outlined? If so, give the colour and the width of the outline "
        f"in at most 4 words, as in: thin black outline. If not, answer N/A. {_ONLY}",
        "(?:with )?(?P<outline>.+?)",
        "colour and width of the outline, or N/A",
        {"outline": Limits(4, one_of=_OUTLINES, is_optional=True)},
    ),
    Question(
        "identity",
        "Name the artistic style of this picture in one phrase of fewer than 4 words. Be as precise as "
        "you can; a category such as 'illustration', 'digital art' or 'painting' is not an answer. "
        f"{_ONLY}",
        "(?:in the style of )?(?P<identity>.+?)",
        "one phrase",
        {"identity": Limits(3, too_general=_GENERIC)},
    ),
    Question(
        "colour",
        "Which colour dominates this picture, and which one stands beside it as an accent? Answer in at"
        f" most 4 words beside 'with', colour terms only, as in: pale grey with dark red. {_ONLY}",
        "(?P<dominant_colour>.+?) with (?P<accent_colour>.+?)(?: accents?)?",
        "dominant colour with accent colour",
        {name: Limits(2, only=COLOUR_TERMS) for name in ("dominant_colour", "accent_colour")},
    ),
    Question(
        "lighting",
        "How is this picture lit? Give the direction of the light and how brightness changes across the"
        f" picture in at most 8 words, without commas and without the colour of the light. {_ONLY}",
        "(?P<lighting>[^,]+?)(?: light(?:ing)?)?",
        "direction and change of brightness",
        {"lighting": Limits(8, banned=_LIGHT_COLOURS)},
    ),
    Question(
        "texture",
        "Two things about the texture of this picture, separated by a semicolon. First, a visual "
        "pattern that repeats all over it, in at most 4 words with a geometric noun such as dots, "
        "stripes or waves; N/A if there is none. Second, the state of its surface in at most 4 words. "
        f"Do not say {', '.join(_VAGUE)}. {_ONLY}",
        "(?P<pattern>[^;]+); *(?P<surface>[^;]+?)(?: surface)?",
        "pattern or N/A; surface",
        {
            "pattern": Limits(4, banned=_VAGUE, one_of=frozenset(_PATTERNS.split()), is_optional=True),
            "surface": Limits(4, banned=_VAGUE),
        },
    ),
    Question(
        "edges",
        f"Are the edges of the shapes in this picture sharp or soft? Answer sharp, soft or N/A. {_ONLY}",
        "(?P<edges>.+?)(?: edges?)?",
        "sharp, soft or N/A",
        {"edges": Limits(1, only=frozenset(("sharp", "soft")), is_optional=True)},
    ),
    Question(
        "brushwork",
        "Describe the brushwork of this picture in at most 4 words: scale and layering first, then the "
        f"type of stroke. Answer N/A if no strokes can be seen. {_ONLY}",
        "(?P<brushwork>[^,]+?)",
        "scale and layering, then type; or N/A",
        {"brushwork": Limits(4, is_optional=True)},
    ),
    Question(
        "medium",
        "What was this picture made with? Answer in at most 4 words: what shows it, then the medium, as"
        " in: granular watercolour wash. Answer N/A if it cannot be seen; never 'digital art' or "
        f"'illustration'. {_ONLY}",
        "(?:in )?(?P<medium>[^,]+?)",
        "visual cue and medium, or N/A",
        {"medium": Limits(4, banned=("digital art", "illustration"), is_optional=True)},
    ),
)  # fmt: skip


@final
class AttributeInstruction(Instruction):
    """A style one attribute at a time."""

    column: ClassVar[str] = "style"
    attributes: ClassVar[tuple[str, ...]] = tuple(name for one in _QUESTIONS for name in one.limits)

    def __init__(self) -> None:
        self.questions = _QUESTIONS

    def phrase(self, attributes: Attributes) -> str:
        """Fill in the template, without the parts that do not apply.

        A prompt that begins with an outline goes on from the content: see `stylekit.curation.synthesis.join`.
        """
        said = {name: value for name, value in attributes.items() if value is not None}
        optional = {
            "pattern": "{} as repeating visual patterns",
            "surface": "{} surface",
            "edges": "{} edges",
            "brushwork": "{}",
            "medium": "in {}",
        }
        parts = [
            f"In the style of {said['identity']}",
            f"{said['dominant_colour']} with {said['accent_colour']} accents",
            f"{said['lighting']} lighting",
            *(form.format(said[name]) for name, form in optional.items() if name in said),
        ]
        outline = f"with {said['outline']}. " if "outline" in said else ""
        return f"{outline}{', '.join(parts)}."
