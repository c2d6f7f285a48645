"""Wet paint: watercolour and oil."""

from __future__ import annotations

import torch
from torch import Tensor

from stylekit.atelier.canvas import Canvas, form_angle, over
from stylekit.atelier.strokes import Strokes, lay_strokes
from stylekit.atelier.texture import blur, coverage, noise

__all__ = ["paint_oil", "paint_watercolour"]


def paint_watercolour(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    dice = canvas.dice
    white = over(canvas.ground, torch.ones_like(canvas.ground), 0.65)
    bloom = noise(dice, size, 5, octaves=3)
    grain = noise(dice, size, 72, octaves=2)
    pigment = canvas.colour
    rim_width, pooled = 0.011, 0.75
    if brushwork == "wet-in-wet washes":
        # neighbouring washes run into each other where they are still wet
        run = blur(pigment, 0.035)
        pigment = over(
            pigment, run, (0.62 + 0.5 * bloom).clamp(0, 1) * coverage(0.05 - canvas.border, size, 0.06)
        )
        bloom, pooled = bloom * 1.7, 0.25
    elif brushwork == "layered glazes":
        glaze = ((bloom * 1.3 + 0.6) * 2.5).floor().clamp(0, 3) / 3
        bloom = glaze * 1.1 - 0.45
    density = 0.86 + 0.22 * bloom + 0.07 * grain
    rim = (1 - canvas.border / rim_width).clamp(0, 1)
    density = density + pooled * rim * (0.55 + 0.45 * noise(dice, size, 9))
    if brushwork == "layered glazes":
        edges = ((bloom - blur(bloom, 0.01)).abs() * 3).clamp(0, 0.4)
        density = density + edges
    elif brushwork == "dry brush strokes":
        streaks = noise(dice, size, 44, 6) + 0.6 * noise(dice, size, 70, 14)
        skipped = ((streaks - 0.12) * 3).clamp(0, 1)
        density = density * (1 - 0.72 * skipped)
    # light passes through the pigment to the paper and back
    absorbed = (white - pigment * 0.97).clamp(min=0.01) / white
    image = white * (1 - absorbed).clamp(min=0.02) ** density.clamp(0.1, 1.9)
    gaps = coverage(0.0035 * (1 + 2 * bloom) - canvas.contour, size)
    image = over(image, white, gaps * 0.45)
    lines = canvas.features() * (0.75 + 0.2 * grain.clamp(-1, 1))
    image = over(image, canvas.line_colour, lines)
    return over(image, canvas.outline_colour, canvas.outlines(0.002 * bloom) * 0.9)


_OIL = {
    "long form strokes": (17, 1.95, 0.34, 0.2),
    "short dabs": (24, 0.85, 0.42, 0.6),
    "broad slab strokes": (11, 1.3, 0.62, 0.45),
    "diagonal strokes": (19, 1.9, 0.36, 0.12),
}


def paint_oil(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    dice = canvas.dice
    count, length, width, turn = _OIL[brushwork]
    angle = form_angle(canvas)
    if brushwork == "diagonal strokes":
        angle = torch.full_like(angle, -0.8)
    broken = over(canvas.colour, canvas.colour * (1 + 0.3 * noise(dice, size, 14)), 0.8).clamp(0, 1)
    first = lay_strokes(dice, torch.cat([broken, canvas.objects], 1), angle, count, length, width, turn=turn)
    # a stroke stays within the form that it was begun in, or nearly so
    keep = 1 - 0.8 * (first.colour[:, 3:] - canvas.objects).abs()
    image = _body(canvas, first, over(canvas.colour, first.colour[:, :3], first.covered * keep))
    # small strokes put the forms right where the broad ones strayed over their edges
    fine = lay_strokes(dice, broken, form_angle(canvas), 2 * count, min(length, 1.3), 0.5, turn=0.1)
    near = coverage(1.1 / count - canvas.border, size, 0.01) * fine.covered
    correct = over(canvas.colour, fine.colour, 0.5)
    image = over(image, _body(canvas, fine, correct, 0.5), near)
    image = over(image, canvas.line_colour, canvas.features(0.002))
    return over(image, canvas.outline_colour, canvas.outlines(0.003 * noise(dice, size, 24)))


def _body(canvas: Canvas, strokes: Strokes, image: Tensor, relief: float = 1.0) -> Tensor:
    """Give the paint its body: bristle marks, a ridge along one side, a thinner tail."""
    bristles = (
        torch.sin(strokes.across * 9 + strokes.shade * 30) * 0.6
        + torch.sin(strokes.across * 21 + strokes.shade * 70) * 0.4
    )
    ridge = strokes.across.abs() ** 4 * torch.sign(strokes.across)
    depth = 0.07 * bristles - 0.20 * ridge + 0.10 * strokes.along + 0.16 * (strokes.shade - 0.5)
    return (image * (1 + relief * depth) + 0.03 * relief * depth).clamp(0, 1)
