"""Media of even colour areas: flat vector, cut paper, screen print, gouache."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from stylekit.atelier.canvas import Canvas, luminance, over
from stylekit.atelier.strokes import lay_strokes
from stylekit.atelier.texture import blur, coordinates, coverage, noise, pitch

__all__ = ["paint_cut_paper", "paint_gouache", "paint_screen_print", "paint_vector"]

TAU = 2 * math.pi


def paint_vector(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    x, y = coordinates(size)
    if brushwork == "banded fills":
        steps = torch.round(canvas.light * 2.2 + (canvas.form / 0.055).floor() % 2 * 0.9) / 2.2
        image = over(canvas.flat, canvas.flat * 0.62, (-steps).clamp(0, 1) * 0.9)
        image = over(image, torch.ones_like(image), steps.clamp(0, 1) * 0.28)
    elif brushwork == "striped fills":
        wave = torch.sin((x + y) * TAU / pitch(1 / 15, 4.5, size))
        stripe = coverage(wave * 0.02, size)
        image = over(canvas.colour, canvas.colour * 0.74, stripe * 0.85)
    elif brushwork == "dotted fills":
        period = pitch(1 / 14, 4.6, size)
        dots = coverage((torch.cos(x * TAU / period) + torch.cos(y * TAU / period) - 0.55) * 0.02, size)
        image = over(canvas.colour, over(canvas.colour, torch.ones_like(canvas.colour), 0.38), dots)
    else:
        image = canvas.colour
    return canvas.draw_lines(image)


def paint_cut_paper(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    image = over(canvas.flat, canvas.colour, 0.75)
    reach = max(1, round(0.024 * size))
    thrown = functional.pad(canvas.objects, (reach, 0, reach, 0), mode="replicate")[..., :size, :size]
    shadow = blur(thrown, 0.012) * (1 - canvas.objects)
    image = over(image, image * 0.42, shadow * 0.85)
    # a lit and a shaded rim where the sheets are cut
    lit = torch.roll(canvas.form, (1, 1), (2, 3)) - torch.roll(canvas.form, (-1, -1), (2, 3))
    rim = coverage(0.008 - canvas.border, size, canvas.softness * 0.3)
    image = over(image, torch.where(lit < 0, torch.ones_like(image), image * 0.55), rim * 0.35)
    if brushwork == "torn edges":
        fibre = 0.016 * (noise(canvas.dice, size, 34, octaves=2) + 0.55)
        torn = coverage(fibre.clamp(min=0) + 0.3 * canvas.px - canvas.border, size)
        image = over(image, torch.tensor([0.985, 0.97, 0.945]).view(1, 3, 1, 1), torn * 0.92)
    elif brushwork == "stacked sheets":
        for depth, tint in ((0.030, 0.72), (0.062, 1.0)):
            inner = coverage(canvas.form - depth, size, canvas.softness)
            under = coverage(canvas.form - depth + 0.012, size) - inner
            image = over(image, image * 0.55, under.clamp(0, 1) * 0.7)
            image = over(image, over(canvas.colour, canvas.ground, 0.20 * tint), inner * 0.65)
            outer = coverage(0.5 * canvas.px + 0.004 - (canvas.form + 1.6 * depth).abs(), size)
            image = over(image, image * 0.66, outer * 0.8)
    elif brushwork == "wavy scissor cuts":
        scallop = torch.sin(noise(canvas.dice, size, 20) * 5) * 0.008 + 0.012
        pinked = coverage(scallop - (canvas.form + 0.012).abs(), size)
        image = over(image, over(canvas.ground, torch.ones_like(canvas.ground), 0.2), pinked * 0.9)
    return canvas.draw_lines(image)


def paint_screen_print(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    image = over(canvas.ground, canvas.colour, 0.93)
    dice = canvas.dice
    speckle = coverage((noise(dice, size, 72) - 0.86) * 0.02, size)
    if brushwork == "streaky pulls":
        streak = noise(dice, size, 3, 60) * 0.8 + noise(dice, size, 5, 26)
        image = over(image, over(canvas.ground, image, 0.25), ((streak - 0.15) * 1.3).clamp(0, 0.75))
    elif brushwork == "mottled pulls":
        mottle = noise(dice, size, 15, octaves=3)
        image = over(image, over(canvas.ground, image, 0.3), ((mottle - 0.05) * 1.2).clamp(0, 0.7))
    elif brushwork == "overprinted pulls":
        shift = max(2, round(0.045 * size))
        second = torch.roll(canvas.objects, (shift // 2, shift), (2, 3))
        image = over(image, image * (0.25 + 0.75 * canvas.accent), second * 0.75)
    else:
        image = over(image, image * 0.93, 0.5 + 0.3 * noise(dice, size, 2))
    image = over(image, canvas.ground, speckle * 0.7)
    # the key block was laid a little askew: bare paper on one side of each form, overlap on the other
    shift = max(1, round(0.014 * size))
    askew = torch.roll(canvas.form, (shift, -shift), (2, 3))
    bare = (coverage(canvas.form, size, canvas.softness) - coverage(askew, size, canvas.softness)).clamp(0, 1)
    image = over(image, canvas.ground, bare * 0.85)
    return canvas.draw_lines(image)


def paint_gouache(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    dice = canvas.dice
    settings = {
        "flat opaque strokes": (14, 1.9, 0.42, 0.15),
        "dry rake strokes": (13, 1.9, 0.5, 0.5),
        "dabbed strokes": (22, 0.72, 0.6, 1.5),
        "feathered strokes": (18, 1.9, 0.28, 0.35),
    }
    count, length, width, turn = settings[brushwork]
    angle = torch.zeros_like(canvas.form) + dice.number(-0.3, 0.3)
    if brushwork == "feathered strokes":
        angle = angle + 1.2
    strokes = lay_strokes(dice, canvas.colour[:, :1], angle, count, length, width, turn=turn)
    tint = (strokes.shade - 0.5) * 0.24
    image = canvas.colour * (1 + tint)
    if brushwork == "dry rake strokes":
        rake = torch.sin(strokes.across * 11 + strokes.shade * 20) * (strokes.along + 0.4)
        image = over(
            image, over(image, canvas.ground, 0.34), coverage((rake - 0.30) * 0.02, size, 0.01) * 0.8
        )
    elif brushwork == "feathered strokes":
        image = image * (1 + 0.16 * strokes.along)
    elif brushwork == "dabbed strokes":
        rim = (strokes.along**2 + strokes.across**2 - 0.9).clamp(0, 1)
        image = image * (1 + tint - 0.22 * rim)
    pale = over(image, luminance(image).expand_as(image), 0.06)
    return canvas.draw_lines(over(pale, torch.ones_like(pale), 0.03))
