"""Which palette colour goes where: the colour distribution of a style, varied from image to image."""

from __future__ import annotations

import random
from itertools import chain
from typing import NamedTuple

from stylekit.atelier.palette import PALETTES, RGB, lightness, mix

__all__ = ["Colouring", "assign_colours"]

_GAP = 31.0
"""Least difference in CIE lightness between an object and everything behind it."""


class Colouring(NamedTuple):
    """The colours of one image."""

    far: tuple[RGB, RGB]
    """Of the sky or wall: its first colour, and the one that it passes into."""
    near: tuple[RGB, RGB]
    """Of the ground, likewise."""
    detail: RGB
    motif: RGB
    """Of the identity's motif in the backdrop."""
    objects: list[RGB]
    tones: list[RGB]
    """Second colour of each object."""
    lines: list[RGB]
    """Of the drawn features inside each object."""
    dark: RGB
    light: RGB
    accent: RGB
    blend: str
    """How the backdrop passes from its first colour into the second: a word of `_BLENDS`."""


_BLENDS = {
    "dominant background": "plain",
    "dominant subject": "plain",
    "uniform distribution": "plain",
    "accents on objects": "plain",
    "gradient from top": "gradient",
    "horizontal bands": "bands",
    "scattered patches": "patches",
    "glow from the centre": "glow",
}


def assign_colours(palette: str, distribution: str, seed: int, num_objects: int) -> Colouring:
    """Give every region its colour by the rule of the distribution, the free choices by seed."""
    dice = random.Random(f"colours {seed}")
    colours = PALETTES[palette].rgb
    by_lightness = sorted(colours, key=lightness)
    dark, light = by_lightness[0], by_lightness[-1]
    main, others = colours[0], colours[1:]
    dice.shuffle(others)
    backdrop, preferred = _rule(distribution, main, others, dark, light, dice)
    is_light = sum(map(lightness, backdrop)) / len(backdrop) > 56
    backdrop = [_push(colour, is_light, dark, light) for colour in backdrop]
    motif = _motif(backdrop, [_push(colour, is_light, dark, light) for colour in others], dark, light)
    backdrop.append(mix(backdrop[0], motif, 0.6))
    objects: list[RGB] = []
    for index in range(num_objects):
        wanted = preferred[index % len(preferred)]
        objects.append(_set_off(wanted, preferred, backdrop, objects[-2:], dark, light))
    far, beyond, near, nearer, detail, _ = backdrop
    return Colouring(
        far=(far, beyond),
        near=(near, nearer),
        detail=detail,
        motif=motif,
        objects=objects,
        tones=[_tone(colour, backdrop[0], colours, dice) for colour in objects],
        lines=[dark if lightness(colour) > 47 else light for colour in objects],
        dark=dark,
        light=light,
        accent=max(others, key=_chroma),
        blend=_BLENDS[distribution],
    )


def _rule(
    distribution: str, main: RGB, others: list[RGB], dark: RGB, light: RGB, dice: random.Random
) -> tuple[list[RGB], list[RGB]]:
    """Return the five colours of the backdrop and the preferred colours of objects, first choice first."""
    first, second, third, _ = others
    amount = dice.uniform(0.15, 0.4)
    if distribution == "dominant background":
        return [main, main, mix(main, dark, amount), mix(main, dark, amount), mix(main, first, 0.45)], others
    if distribution == "dominant subject":
        ground = max(others, key=lambda colour: abs(lightness(colour) - lightness(main)))
        return [
            ground,
            ground,
            mix(ground, first, amount),
            mix(ground, first, amount),
            mix(ground, second, 0.5),
        ], [main]
    if distribution == "accents on objects":
        ground = light if dice.random() < 0.75 else dark
        tint = mix(ground, main, amount)
        accents = [colour for colour in (main, *others) if colour is not ground]
        return [ground, ground, tint, tint, mix(ground, main, 0.45)], accents
    if distribution == "uniform distribution":
        shades = [main, *others]
        dice.shuffle(shades)
        return [shades[0], shades[0], shades[1], shades[1], shades[2]], [shades[3], shades[4], shades[2]]
    if distribution == "horizontal bands":
        return [main, first, second, mix(second, main, 0.5), first], others
    if distribution == "scattered patches":
        return [main, first, mix(main, second, amount), second, third], others
    ends = [main, light] if lightness(main) > 56 else [main, mix(main, first, 0.6)]
    if distribution == "glow from the centre":
        ends.reverse()
    return [*ends, mix(main, second, amount), mix(main, second, amount + 0.3), mix(main, third, 0.4)], others


def _push(colour: RGB, is_light: bool, dark: RGB, light: RGB) -> RGB:
    """Move a colour of the backdrop to its light or dark side, where objects can be set off from it."""
    for _ in range(4):
        if is_light and lightness(colour) < 63:
            colour = mix(colour, light, 0.33)
        elif not is_light and lightness(colour) > 50:
            colour = mix(colour, dark, 0.33)
    return colour


def _motif(backdrop: list[RGB], choices: list[RGB], dark: RGB, light: RGB) -> RGB:
    """Return the colour that shows most against both colours of the sky, yet stays on the backdrop's side."""
    shades = [mix(backdrop[0], end, 0.4) for end in (dark, light)]
    return max([*choices, *shades], key=lambda colour: min(_apart(colour, other) for other in backdrop[:2]))


def _apart(one: RGB, other: RGB) -> float:
    return sum(abs(a - b) for a, b in zip(one, other, strict=True))


def _set_off(
    wanted: RGB, choices: list[RGB], backdrop: list[RGB], others: list[RGB], dark: RGB, light: RGB
) -> RGB:
    """Return the wanted colour, or one that stands out better from the backdrop and other objects."""
    levels = [lightness(colour) for colour in backdrop]
    shades = (
        mix(colour, end, amount) for colour in choices for amount in (0.3, 0.55) for end in (dark, light)
    )
    fallback, widest = wanted, -1.0
    for candidate in chain((wanted, *choices), shades, (dark, light)):
        gap = min(_GAP, *(abs(lightness(candidate) - level) for level in levels))
        if gap == _GAP and all(_apart(candidate, other) > 0.3 for other in others):
            return candidate
        if gap > widest:
            fallback, widest = candidate, gap
    return fallback


def _tone(colour: RGB, ground: RGB, colours: list[RGB], dice: random.Random) -> RGB:
    """Return a colour between the object's and another one, clearly apart from the object's own."""
    between = [mix(colour, other, 0.5) for other in colours if abs(lightness(other) - lightness(colour)) > 18]
    away = [shade for shade in between if abs(lightness(shade) - lightness(ground)) > 15]
    return dice.choice(away or between or [ground])


def _chroma(colour: RGB) -> float:
    return max(colour) - min(colour)
