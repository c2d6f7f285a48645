"""Media in ink on light paper, whose lines and dots follow the tone: ink, hatching, stippling, halftone."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.atelier.canvas import Canvas, luminance, over
from stylekit.atelier.texture import cells, coordinates, coverage, noise, pitch

__all__ = ["darkness", "paint_halftone", "paint_hatching", "paint_ink", "paint_stippling", "ruled"]

TAU = 2 * math.pi


def darkness(canvas: Canvas) -> Float[Tensor, "n 1 h w"]:
    """Return how much ink the tone asks for, 0 to 1."""
    return ((0.93 - luminance(canvas.colour)) / 0.86).clamp(0, 1)


def ruled(canvas: Canvas, along: Tensor, period: float, amount: Tensor) -> Float[Tensor, "n 1 h w"]:
    """Rule lines wherever `along` passes a multiple of the period, so broad that they cover `amount`."""
    phase = along / period
    wave = (phase - phase.floor() - 0.5).abs() * 2
    return coverage((amount - wave) * period / 2, canvas.size, canvas.softness * 0.35)


def inks(canvas: Canvas, strength: float = 0.75) -> Float[Tensor, "n 3 h w"]:
    """Return coloured ink, dark enough to be seen on the paper."""
    deep = over(canvas.flat, canvas.dark, 0.30 + 0.5 * luminance(canvas.flat))
    return over(canvas.flat, deep, strength)


def paper(canvas: Canvas, wash: float) -> Float[Tensor, "n 3 h w"]:
    """Return the paper, tinted by thin washes of the regions' colours."""
    ground = over(canvas.ground, torch.ones_like(canvas.ground), 0.25)
    return over(ground, canvas.colour, wash)


def _lines_over(canvas: Canvas, image: Tensor, rough: Tensor | float = 0.0) -> Tensor:
    """Draw contours and features; a picture without outline keeps a hairline in its own ink."""
    hairline = coverage(0.35 * canvas.px + 0.002 - canvas.contour, canvas.size) * 0.55
    image = over(image, inks(canvas), hairline)
    return canvas.draw_lines(image, rough)


def paint_ink(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    wave = noise(canvas.dice, size, 11, octaves=2)
    image = paper(canvas, 0.66)
    thick: Tensor | float = max(0.0055, 0.6 / size)
    contour, border = canvas.contour, canvas.border
    ink = over(canvas.dark * 0.8, canvas.flat * 0.4, 0.15)
    if brushwork == "swelling brush lines":
        thick = thick * (1.5 + 1.7 * wave - 1.2 * canvas.light).clamp(0.5, 3.4)
    elif brushwork == "doubled sketch lines":
        stray = 0.016 * noise(canvas.dice, size, 5)
        contour = torch.minimum(contour, (canvas.form + 0.017 + stray).abs())
        border = torch.minimum(border, contour)
        thick = thick * 0.85
    lines = coverage(thick - border, size, canvas.softness * 0.5)
    gap = (canvas.line + thick * 0.4) * 1.0
    lines = torch.maximum(lines, coverage(gap, size, canvas.softness * 0.5))
    shadow = ruled(
        canvas,
        coordinates(size)[0] + coordinates(size)[1],
        pitch(1 / 24, 3.2, size),
        0.4 * (darkness(canvas) > 0.62),
    )
    if brushwork == "broken dry lines":
        dry = coverage(0.012 * (noise(canvas.dice, size, 40, octaves=2) + 0.28), size)
        lines, shadow = lines * dry, shadow * dry
    elif brushwork == "even pen lines":
        shadow = shadow * 0.0
    image = over(image, ink, torch.maximum(lines * 0.95, shadow * 0.6))
    extra = canvas.outlines(0.002 * wave)
    return over(over(image, canvas.line_colour, canvas.features()), canvas.outline_colour, extra)


def paint_hatching(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    x, y = coordinates(size)
    tone = darkness(canvas) ** 1.2 * 0.92
    tone = (tone * (1 + 0.15 * noise(canvas.dice, size, 20, octaves=2))).clamp(0, 0.95)
    waver = 0.005 * noise(canvas.dice, size, 7)
    angle = canvas.dice.number(0.6, 0.95)
    slant = x * torch.cos(angle) + y * torch.sin(angle) + waver
    across = x * torch.sin(angle) - y * torch.cos(angle) + waver
    if brushwork == "fine parallel strokes":
        ink = ruled(canvas, slant, pitch(1 / 34, 2.6, size), tone)
    elif brushwork == "broad parallel strokes":
        ink = ruled(canvas, slant, pitch(1 / 15, 4.2, size), tone)
    elif brushwork == "crossed strokes":
        period = pitch(1 / 24, 3.0, size)
        first = ruled(canvas, slant, period, (tone * 0.8).clamp(0, 0.6))
        second = ruled(canvas, across, period, (tone * 1.5 - 0.45).clamp(0, 0.7))
        third = ruled(canvas, x + 0.15 * y, period, (tone * 2 - 1.3).clamp(0, 0.6))
        ink = torch.maximum(torch.maximum(first, second), third)
    else:
        ink = ruled(canvas, canvas.form + waver, pitch(1 / 26, 3.0, size), tone)
    image = over(paper(canvas, 0.38), inks(canvas), ink)
    return _lines_over(canvas, image)


def paint_stippling(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    tone = darkness(canvas)
    image = paper(canvas, 0.34)
    ink = inks(canvas, 0.9)
    counts = {
        "fine dots": (30, 46),
        "coarse dots": (19, 28),
        "flicked dashes": (24, 34),
        "ringed dots": (20, 30),
    }
    marks: Tensor | float = 0.0
    for index, count in enumerate(counts[brushwork]):
        count = min(count, round(size / (2.1 if index else 2.6)))
        dots = cells(canvas.dice, size, count, jitter=0.75)
        radius = (0.28 + 0.24 * tone) / count
        distance = dots.centre
        if brushwork == "flicked dashes":
            u, v = dots.offset[:, :1], dots.offset[:, 1:]
            lean = 0.7
            distance = (
                (0.55 * (u * math.cos(lean) + v * math.sin(lean))) ** 2
                + (1.9 * (v * math.cos(lean) - u * math.sin(lean))) ** 2
            ).sqrt()
        mark = coverage(radius - distance, size, canvas.softness * 0.3)
        if brushwork == "ringed dots":
            mark = mark * coverage(distance - radius * 0.42, size)
        shown = ((tone * 1.35 - (0.08, 0.25)[index] - dots.shade * 0.95) * 14).clamp(0, 1)
        marks = torch.maximum(torch.as_tensor(marks), mark * shown)
    # dots along the contours hold the forms together
    rim = cells(canvas.dice, size, min(48, size // 2), jitter=0.5)
    near = coverage(0.010 + 0.5 * canvas.px - canvas.contour, size)
    rim_dots = coverage(0.42 / min(48, size // 2) - rim.centre, size) * near
    image = over(image, ink, torch.as_tensor(marks))
    image = over(image, canvas.dark * 0.9, rim_dots * 0.8)
    return canvas.draw_lines(image)


def paint_halftone(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    x, y = coordinates(size)
    angle = canvas.dice.number(0.3, 0.55)
    period = pitch(1 / 27, 4.0, size)
    u = (x * torch.cos(angle) + y * torch.sin(angle)) * TAU / period
    v = (y * torch.cos(angle) - x * torch.sin(angle)) * TAU / period
    if brushwork == "round dot screen":
        screen = 0.5 + 0.25 * (torch.cos(u) + torch.cos(v))
    elif brushwork == "line screen":
        screen = 0.5 + 0.5 * torch.cos(v * 1.1)
    elif brushwork == "diamond screen":
        screen = 1 - (
            (
                torch.asin(torch.cos(u).clamp(-0.999, 0.999)) - torch.asin(torch.cos(v).clamp(-0.999, 0.999))
            ).abs()
            / math.pi
        )
        screen = screen * 0.9
    else:
        screen = 0.5 + 0.5 * torch.maximum(torch.cos(u * 0.8), torch.cos(v * 0.8))
        screen = screen * 0.8
    tone = (0.12 + 0.8 * darkness(canvas)).clamp(0, 1)
    dots = coverage((screen - 1 + tone) * period * 0.55, size, canvas.softness * 0.4)
    base = over(paper(canvas, 0.0), canvas.colour, 0.58)
    image = over(base, inks(canvas, 0.85), dots)
    return _lines_over(canvas, image)
