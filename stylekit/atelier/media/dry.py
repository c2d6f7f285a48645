"""Dry sticks on toothed paper or board: pastel, crayon, charcoal, chalk."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.atelier.canvas import Canvas, form_angle, luminance, over, traces
from stylekit.atelier.media.drawn import darkness
from stylekit.atelier.strokes import lay_strokes
from stylekit.atelier.texture import blur, coordinates, coverage, noise

__all__ = ["paint_chalk", "paint_charcoal", "paint_crayon", "paint_pastel"]


def _tooth(canvas: Canvas, fine: int = 90) -> Float[Tensor, "n 1 h w"]:
    """Return the grain of the paper that a stick catches on, around 0."""
    return noise(canvas.dice, canvas.size, fine, octaves=2) * 0.8


def _streaks(canvas: Canvas, angle: Tensor, across: int, along: float) -> Float[Tensor, "n 1 h w"]:
    """Return the broken streaks of a stick drawn in one direction, around 0."""
    x, y = coordinates(canvas.size)
    u = x * torch.cos(angle) + y * torch.sin(angle)
    v = y * torch.cos(angle) - x * torch.sin(angle)
    lattice = canvas.dice.field(1, 64, 64) * 2 - 1
    place = torch.cat(
        [(u * along / 32).expand(-1, 1, canvas.size, -1), (v * across / 32).expand(-1, 1, canvas.size, -1)], 1
    )
    return torch.nn.functional.grid_sample(
        lattice, place.permute(0, 2, 3, 1), padding_mode="reflection", align_corners=False
    )


def _contours(canvas: Canvas, image: Tensor, tooth: Tensor, firmness: float = 0.75) -> Tensor:
    """Draw features and outlines with the broken edge of a stick."""
    grain = (firmness + 1.1 * tooth).clamp(0, 1)
    image = over(image, canvas.line_colour, canvas.features(0.002) * (0.55 + 0.45 * grain))
    return over(image, canvas.outline_colour, canvas.outlines(0.004 * tooth) * (0.5 + 0.5 * grain))


def paint_pastel(canvas: Canvas, brushwork: str) -> Tensor:
    dice, size = canvas.dice, canvas.size
    settings = {
        "broad side strokes": (10, 1.7, 0.75, 0.35),
        "short grainy strokes": (22, 0.95, 0.42, 0.5),
        "diagonal grainy strokes": (20, 1.95, 0.36, 0.1),
        "smudged strokes": (12, 1.7, 0.7, 0.6),
    }
    count, length, width, turn = settings[brushwork]
    angle = form_angle(canvas)
    if brushwork == "diagonal grainy strokes":
        angle = torch.full_like(angle, -0.9)
    tooth = _tooth(canvas)
    picture = canvas.colour * (1 + 0.22 * noise(dice, size, 12))
    strokes = lay_strokes(
        dice, torch.cat([picture, canvas.objects], 1), angle, count, length, width, turn=turn
    )
    # a stroke stays within the form that it was begun in, or nearly so
    keep = (1 - 0.85 * (strokes.colour[:, 3:] - canvas.objects).abs()) * coverage(
        canvas.border - 0.004, size, 0.01
    )
    image = over(canvas.colour, strokes.colour[:, :3], strokes.covered * keep)
    image = image * (1 + 0.22 * (strokes.shade - 0.5) * keep)
    under = over(over(canvas.ground, canvas.main, 0.45) * 0.9, canvas.colour, 0.3)
    pressure = 0.62 + 0.25 * (1 - strokes.across.abs()) + 0.15 * strokes.shade
    if brushwork == "smudged strokes":
        image = over(image, blur(image, 0.02), 0.75)
        tooth = tooth * 0.35
    bare = ((0.55 - pressure + tooth * 0.9) * 2.2).clamp(0, 0.55)
    image = over(image, under, bare)
    return _contours(canvas, over(image, torch.ones_like(image), 0.06), tooth)


def paint_crayon(canvas: Canvas, brushwork: str) -> Tensor:
    dice, size = canvas.dice, canvas.size
    angle = dice.number(-0.95, -0.6)
    paper = over(over(canvas.ground, torch.ones_like(canvas.ground), 0.4), canvas.colour, 0.4)
    tooth = _tooth(canvas, 70)
    if brushwork == "waxy short strokes":
        strokes = lay_strokes(dice, canvas.colour[:, :1], form_angle(canvas), 20, 1.0, 0.34, turn=0.4)
        marks = 1.5 * (0.75 - strokes.across.abs()) * strokes.covered - 0.15 + 0.3 * strokes.shade
    elif brushwork == "curled waxy strokes":
        x, y = coordinates(size)
        warp = 0.035 * noise(dice, size, 9)
        curl = torch.sin(x * 70 + warp * 60) + torch.sin(y * 70 - warp * 60 + 3 * torch.sin(x * 35))
        marks = 0.55 - 0.75 * (curl.abs() - 0.55)
    else:
        marks = 0.35 + 1.0 * _streaks(canvas, angle, 40, 4.0)
        if brushwork == "crossed waxy strokes":
            marks = 0.9 * torch.maximum(marks, 0.35 + 1.0 * _streaks(canvas, angle + 1.5, 40, 4.0)) - 0.2
    wax = ((marks + 0.75 * tooth + 0.35 + 0.35 * luminance(1 - canvas.flat)) * 2.2).clamp(0, 1)
    image = over(paper, canvas.colour, wax * 0.93)
    edge = coverage(0.008 - canvas.border, size) * (0.7 + 0.8 * tooth).clamp(0, 1)
    image = over(image, canvas.colour * 0.72, edge)
    return _contours(canvas, image, tooth)


def paint_charcoal(canvas: Canvas, brushwork: str) -> Tensor:
    dice, size = canvas.dice, canvas.size
    tone = darkness(canvas)
    tooth = _tooth(canvas, 80)
    angle = dice.number(-1.0, -0.7)
    image = over(over(canvas.ground, torch.ones_like(canvas.ground), 0.15), canvas.colour, 0.52)
    coal = over(canvas.dark * 0.75, canvas.flat * 0.35, 0.35)
    if brushwork == "smudged strokes":
        amount = blur(tone, 0.02) * 0.92 + 0.12 * tooth
    elif brushwork == "broad block strokes":
        strokes = lay_strokes(dice, tone, form_angle(canvas), 9, 1.5, 0.7, turn=0.5)
        amount = tone * (0.45 + 0.75 * strokes.shade) + 0.6 * tooth - 0.05
    else:
        streak = _streaks(canvas, angle, 46, 5.0)
        if brushwork == "crossed strokes":
            streak = torch.maximum(streak, _streaks(canvas, angle + 1.4, 46, 5.0)) - 0.15
        amount = tone + 0.75 * streak * (0.3 + tone) + 0.45 * tooth * (0.3 + tone) - 0.1
    image = over(image, coal, (amount * 1.05).clamp(0, 0.92))
    edge = coverage(0.006 + 0.4 * canvas.px - canvas.contour, size, canvas.softness * 0.5)
    image = over(image, coal * 0.8, edge * (0.6 + 0.9 * tooth).clamp(0, 0.9))
    return _contours(canvas, image, tooth)


def paint_chalk(canvas: Canvas, brushwork: str) -> Tensor:
    dice, size = canvas.dice, canvas.size
    tooth = _tooth(canvas, 100)
    board = canvas.dark * 0.62 + 0.05
    dust = noise(dice, size, 3, octaves=3)
    image = board * (1 + 0.16 * dust) + 0.025 * (1 + dust)
    angle = dice.number(-1.0, -0.7)
    if brushwork == "smudged strokes":
        marks = 0.30 + 0.45 * noise(dice, size, 9, octaves=2) + 0.25 * tooth
    elif brushwork == "side-on strokes":
        marks = 0.28 + 1.1 * _streaks(canvas, dice.number(-0.2, 0.2), 9, 2.5) * 0.5 + 0.95 * tooth
    else:
        marks = 0.1 + 1.0 * _streaks(canvas, angle, 34, 3.5) + 0.5 * tooth
        if brushwork == "crossed scribble":
            marks = (
                torch.maximum(marks, 0.1 + 1.0 * _streaks(canvas, angle + 1.57, 34, 3.5) + 0.5 * tooth) - 0.12
            )
    chalk = over(canvas.flat, torch.ones_like(canvas.flat), 0.30 + 0.35 * (1 - luminance(canvas.flat)))
    # objects are filled, what lies behind is only brushed in
    behind = 0.34 + 1.3 * (luminance(canvas.flat) - 0.4)
    press = over(behind, torch.full_like(behind, 0.88), canvas.objects) + 0.30 * canvas.light
    fill = ((marks + press - 0.42) * 2.2).clamp(0, 1) * (0.50 + 0.42 * canvas.objects)
    image = over(image, chalk * 0.96, fill)
    pale = over(chalk, torch.ones_like(chalk), 0.55)
    image = over(image, pale, (traces(canvas) * (0.5 + 0.8 * tooth)).clamp(0, 0.8))
    stroke = coverage(0.0075 + 0.25 * canvas.px - canvas.border, size, canvas.softness * 0.5)
    image = over(image, pale, stroke * (0.75 + 0.9 * tooth).clamp(0, 1))
    inside = over(board, torch.ones_like(board), (luminance(chalk) < 0.5).float())
    image = over(image, inside, canvas.features(0.003) * (0.9 + 0.3 * tooth).clamp(0, 1))
    return over(
        image, canvas.outline_colour, canvas.outlines(0.004 * tooth) * (0.85 + 0.6 * tooth).clamp(0, 1)
    )
