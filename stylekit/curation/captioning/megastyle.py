"""MegaStyle's two instructions (arXiv 2604.08364): one question for the style, one for the content.

The paper says what each asks for and prints the template of the style prompt. The texts that it gave to
Qwen3-VL are not public: these are ours.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, final

from annotated_types import Ge

from stylekit.bounds import Positive, bounded
from stylekit.curation.captioning.instruction import Attributes, Instruction, Question
from stylekit.curation.captioning.limits import Limits

__all__ = ["ContentInstruction", "StyleInstruction"]

_TEMPLATE = (
    "In the style of {artistic style}, {main colour} with {other colours} in {colour distribution}, "
    "{light distribution} light, {artistic medium}, {texture}, {brushwork}."
)
_STYLE = """\
Describe the visual style of this picture in one sentence of about {about} words that fills this template:
{template}
- artistic style: the overall style, as precisely as you can name it.
- main colour, other colours, colour distribution: which colour covers most, which others there are, and how \
they are spread over the picture.
- light distribution: where light falls and how evenly; without the word "light".
- artistic medium: what the picture was made with.
- texture: how its surface looks.
- brushwork: what the strokes, lines or marks are like.
Say nothing about what is shown: no objects, people, places, actions or text. Do not use commas inside a \
slot, except between colours. Answer with the sentence only."""
_STYLE_FORM = (
    r".*?In the style of (?P<identity>[^,]+), (?P<main_colour>[^,]+?) with (?P<other_colours>.+?) "
    r"in (?P<distribution>[^,]+), (?P<light>[^,]+?) light(?:ing)?, (?P<medium>[^,]+), (?P<texture>[^,]+), "
    r"(?P<brushwork>[^,.]+)(?:, (?P<outline>[^,.]+), (?P<edges>[^,.]+))?"
)
_SLOT = 12  # words; the template's longest slot in published prompts has 8

_CONTENT = """\
Say in one plain sentence of at most {most} words what this picture shows: the objects and how they stand to \
one another. Name nothing that belongs to its style: no artistic style, medium, colour scheme, light, \
texture, brushwork, mood or quality, and do not call it a picture, photograph, painting or drawing. Answer \
with the sentence only."""
_STYLE_WORDS = (
    "style", "styled", "stylised", "stylized", "aesthetic", "artistic", "artwork", "painted", "painting",
    "watercolor", "watercolour", "illustration", "illustrated", "drawing of", "drawn", "sketch of",
    "sketched", "cartoon", "anime", "abstract", "impressionist", "minimalist", "photorealistic", "realistic",
    "photo", "photograph", "picture of", "image of", "rendering", "render", "rendered", "brushstrokes",
    "brushwork", "monochrome", "black and white", "color palette", "colour palette", "the image",
    "this image", "the picture shows", "this picture",
)  # fmt: skip


@final
class StyleInstruction(Instruction):
    """The whole style in one answer, in MegaStyle's template.

    Atelier styles end in an outline and edges, which MegaStyle++ asks for too: an answer may have them.

    Args:
        about_words: The length that is asked for; the paper's prompts have about 32 words.
        max_words: The most that is accepted.
    """

    column: ClassVar[str] = "style"
    attributes: ClassVar[tuple[str, ...]] = (
        "identity", "main_colour", "other_colours", "distribution", "light", "medium", "texture", "brushwork",
        "outline", "edges",
    )  # fmt: skip

    @bounded
    def __init__(self, about_words: Positive = 32, max_words: Annotated[int, Ge(16)] = 48) -> None:
        limits = dict.fromkeys(self.attributes, Limits(_SLOT))
        text = _STYLE.format(about=about_words, template=_TEMPLATE)
        self.questions = (Question("style", text, _STYLE_FORM, _TEMPLATE, limits, max_words),)

    def phrase(self, attributes: Attributes) -> str:
        """Fill in the template."""
        said = {name: value for name, value in attributes.items() if value is not None}
        slots = [
            said[name] for name in ("medium", "texture", "brushwork", "outline", "edges") if name in said
        ]
        return (
            f"In the style of {said['identity']}, {said['main_colour']} with {said['other_colours']} "
            f"in {said['distribution']}, {said['light']} light, {', '.join(slots)}."
        )


@final
class ContentInstruction(Instruction):
    """Objects and their relations, without a word about style.

    Args:
        max_words: The most that is accepted.
    """

    column: ClassVar[str] = "content"

    @bounded
    def __init__(self, max_words: Annotated[int, Ge(4)] = 40) -> None:
        limits = {"content": Limits(max_words, min_words=2, banned=_STYLE_WORDS)}
        text = _CONTENT.format(most=max_words)
        self.questions = (Question("content", text, "(?P<content>.+)", "one sentence", limits, max_words),)

    def phrase(self, attributes: Attributes) -> str:
        """Return the sentence."""
        assert attributes["content"] is not None
        return attributes["content"]
