"""Lines cut or drafted: woodcut and blueprint."""

from __future__ import annotations

import torch
from torch import Tensor

from stylekit.atelier.canvas import Canvas, luminance, over, traces
from stylekit.atelier.media.drawn import darkness, ruled
from stylekit.atelier.texture import coordinates, coverage, noise, pitch

__all__ = ["paint_blueprint", "paint_woodcut"]


def paint_woodcut(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    x, y = coordinates(size)
    dice = canvas.dice
    waver = 0.008 * noise(dice, size, 8, octaves=2)
    taper = 0.18 * noise(dice, size, 16)
    tone = (darkness(canvas) * 0.95 + taper * 0.6).clamp(0.0, 1.0)
    tone = ((tone - 0.16) * 1.35).clamp(0, 0.93)
    settings = {
        "contour gouges": (canvas.form + waver, 1 / 22, 3.4),
        "parallel gouges": (y + 0.10 * x + waver, 1 / 20, 3.4),
        "bold knife cuts": (x * 0.75 - y * 0.66 + 1.6 * waver, 1 / 12, 5.0),
        "fine gouges": (canvas.form * 0.5 + y * 0.8 + 0.5 * waver, 1 / 34, 2.6),
    }
    along, period, floor = settings[brushwork]
    ink = ruled(canvas, along, pitch(period, floor, size), tone)
    block = over(canvas.ground, canvas.flat, 0.62)
    black = over(canvas.dark * 0.7, canvas.flat * 0.4, 0.2)
    image = over(block, black, ink)
    # the knife leaves a light channel round each form
    channel = coverage(
        0.011 + 0.4 * canvas.px + waver * 0.5 - (canvas.form + 0.010).abs(), size, canvas.softness * 0.4
    )
    image = over(image, canvas.ground, channel * (canvas.outline == 0) * 0.95)
    key = coverage(0.005 + 0.4 * waver - canvas.border, size, canvas.softness * 0.4)
    image = over(image, black, key * 0.9)
    return canvas.draw_lines(image, waver * 0.6)


def paint_blueprint(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    x, y = coordinates(size)
    dice = canvas.dice
    base = over(canvas.main, canvas.dark, 0.45)
    excess = (luminance(base) / 0.26).clamp(min=1)
    base = base / excess
    exposure = 0.10 * noise(dice, size, 3, octaves=2)
    image = (base * (1 + exposure)).expand(-1, 3, size, size)
    white = over(canvas.ground, torch.ones_like(canvas.ground), 0.5)
    period = 1 / 16
    shift_x, shift_y = dice.number(), dice.number()
    for number, strength in ((period, 0.16), (period * 4, 0.22)):
        u, v = (x / number + shift_x) % 1, (y / number + shift_y) % 1
        grid = torch.minimum(torch.minimum(u, 1 - u), torch.minimum(v, 1 - v)) * number
        image = over(image, white, coverage(max(0.0015, 0.4 / size) - grid, size) * strength)
    tint = over(canvas.flat, white, 0.15)
    lit = (1 + 0.55 * canvas.light).clamp(0.3, 1.6)
    image = over(image, tint, (0.30 + 0.25 * canvas.objects) * lit * 0.9) * (1 + 0.2 * canvas.light)
    image = over(image, white, traces(canvas) * 0.45)
    wide = {"bold drafting lines": 0.0105, "fine drafting lines": 0.0042}.get(brushwork, 0.006)
    lines = coverage(max(wide, 0.45 / size) - canvas.border, size, canvas.softness * 0.5)
    lines = torch.maximum(lines, coverage(canvas.line + wide * 0.3, size, canvas.softness * 0.5) * 0.95)
    if brushwork == "dashed drafting lines":
        along = torch.sin((x - y) * 95) + torch.sin((x + y) * 95)
        lines = lines * coverage((along + 0.5) * 0.02, size)
    elif brushwork == "section hatching":
        hatch = ruled(canvas, x + y, pitch(1 / 20, 4.0, size), 0.30 * canvas.objects)
        image = over(image, white, hatch * 0.75)
    elif brushwork == "bold drafting lines":
        offset = coverage(max(0.002, 0.4 / size) - (canvas.form + 0.035).abs(), size)
        lines = torch.maximum(lines, offset * 0.6)
    image = over(image, white, lines * 0.93)
    return over(image, canvas.outline_colour, canvas.outlines())
