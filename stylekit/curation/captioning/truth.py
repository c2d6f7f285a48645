"""Captions of drawn images, from what they were drawn from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple, final

from stylekit.atelier import STYLE_BEGINS, Scene, Style
from stylekit.atelier.palette import PALETTES
from stylekit.curation.captioning.captioner import Captioner, Query
from stylekit.curation.failure import Failure
from stylekit.errors import ConfigError

__all__ = ["NO_TRUTH", "AtelierTruth", "Truth", "read_truth"]

NO_TRUTH = "no drawing of the atelier"

_LIGHTING = {
    "even": "even from the front",
    "soft left": "from the left with gradual falloff",
    "soft right": "from the right with gradual falloff",
    "overhead": "from above and darker below",
    "backlit rim": "from behind with bright rims",
    "vignetted": "centred and darker towards the corners",
    "dramatic side": "from one side with abrupt shadows",
    "dappled": "from above in scattered patches",
}


class Truth(NamedTuple):
    """What an image of the atelier shows, and how."""

    scene: Scene
    style: Style


@lru_cache(maxsize=8)  # the questions about an image come together
def read_truth(truth: str) -> Truth:
    """Read a prompt, a scene and then a style, back into what is drawn; a ConfigError says what is wrong."""
    content, begins, style = truth.partition(STYLE_BEGINS)
    if not begins:
        raise ConfigError(f"A drawing's prompt has a style that begins {STYLE_BEGINS!r}: {truth!r}.")
    return Truth(Scene.from_prompt(content.strip()), Style.from_prompt(begins + style))


@final
class AtelierTruth(Captioner):
    """Knows what was drawn, and needs no look at the image."""

    def answer(self, queries: Sequence[Query]) -> list[str | Failure]:
        """Answer from the truth of each subject."""
        return [_answer(query) for query in queries]


def _answer(query: Query) -> str | Failure:
    say = _ANSWERS.get(query.question.name)
    if say is None:
        known = ", ".join(_ANSWERS)
        raise ConfigError(f"The atelier's truth knows {known}; not {query.question.name!r}.")
    if query.subject.truth is None:
        return Failure(NO_TRUTH, "The row has no truth: choose a captioner that looks at images.")
    try:
        return say(*read_truth(query.subject.truth))
    except ConfigError as error:
        return Failure(NO_TRUTH, str(error))


def _colour(scene: Scene, style: Style) -> str:
    main, accent, *_ = PALETTES[style.palette].colours
    return f"{main} with {accent}"


_ANSWERS: dict[str, Callable[[Scene, Style], str]] = {
    "content": lambda scene, style: scene.prompt(),
    "style": lambda scene, style: style.prompt(),
    "outline": lambda scene, style: "N/A" if style.outline == "no outline" else style.outline,
    "identity": lambda scene, style: style.identity,
    "colour": _colour,
    "lighting": lambda scene, style: _LIGHTING[style.light],
    "texture": lambda scene, style: f"N/A; {style.texture}",
    "edges": lambda scene, style: style.edges.removesuffix(" edges"),
    "brushwork": lambda scene, style: style.brushwork,
    "medium": lambda scene, style: style.medium,
}
"""By the name of the question."""
