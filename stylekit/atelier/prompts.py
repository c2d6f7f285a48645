"""Prompts as users write them, read into the words that the mini foundations learned."""

from __future__ import annotations

import re

from stylekit.atelier import STYLE_BEGINS
from stylekit.atelier.motion import MovingScene
from stylekit.atelier.repertoire import Repertoire
from stylekit.atelier.scene import SETTINGS, Scene
from stylekit.atelier.style import Style
from stylekit.errors import ConfigError

__all__ = ["read_prompt"]

_SETTING = "on a plain background"
# What comes near a relation of the atelier.
_RELATIONS = {
    "beside": "and", "next to": "and", "near": "and", "with": "and", "by": "and",
    "over": "above", "on top of": "above",
    "under": "below", "beneath": "below", "underneath": "below",
    "to the left of": "left of", "to the right of": "right of",
}  # fmt: skip
_FOUND = re.compile(rf"\b({'|'.join(sorted(_RELATIONS, key=len, reverse=True))})\b(?! the sea)")


def read_prompt(prompt: str, repertoire: Repertoire | None, moves: bool = False) -> str:
    """Return the prompt in the atelier's own words, or say which word is unknown and what comes near.

    A content may go without a setting, and some relations have other names ("beside", "under"); a style,
    where there is one, follows the content and is the atelier's. The empty prompt stays empty. Without a
    repertoire, all words of the atelier are known.
    """
    if not prompt.strip():
        return ""
    at = prompt.lower().find(STYLE_BEGINS.lower())
    content, style = (prompt, "") if at < 0 else (prompt[:at], prompt[at:])
    said = []
    if content.strip():
        still, _, motions = content.strip().partition(".")
        scene = Scene.from_prompt(_in_own_words(still))
        if repertoire is not None:
            repertoire.check(scene)
        if motions.strip() and not moves:
            raise ConfigError(f"In {prompt!r}, {motions.strip()!r} follows the scene: only films move.")
        moving = motions.strip() and MovingScene.from_prompt(f"{scene.prompt()} {motions}").prompt()
        said.append(moving or scene.prompt())
    if style:
        said.append(Style.from_prompt(_capital(style.strip())).prompt())
    return " ".join(said)


def _in_own_words(content: str) -> str:
    words = _FOUND.sub(lambda found: _RELATIONS[found[1]], " ".join(content.lower().split()))
    return words if words.endswith(tuple(SETTINGS)) else f"{words} {_SETTING}"


def _capital(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"
