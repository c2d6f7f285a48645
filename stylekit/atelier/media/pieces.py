"""Pictures put together from pieces: mosaic, stained glass, pixels, stitches."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from stylekit.atelier.canvas import Canvas, form_angle, luminance, over
from stylekit.atelier.strokes import lay_strokes
from stylekit.atelier.texture import Cells, cells, coordinates, coverage, noise

__all__ = ["paint_embroidery", "paint_glass", "paint_mosaic", "paint_pixels"]

TAU = 2 * math.pi


def paint_mosaic(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    if brushwork == "irregular tesserae":
        tiles = cells(canvas.dice, size, 15, jitter=0.95)
    else:
        count = {"square tesserae": 15, "brick tesserae": 14, "fine tesserae": 21}[brushwork]
        tiles = _blocks(canvas, count, 2.0 if brushwork == "brick tesserae" else 1.0)
    grout_width = max(0.0042, 0.36 * canvas.px)
    joint = torch.minimum(tiles.edge, canvas.border * 0.8)
    grout = coverage(grout_width - joint, size, canvas.softness * 0.35)
    tint = (tiles.shade - 0.5) * 0.42
    image = canvas.colour * (1 + tint) + 0.05 * tint
    bevel = (tiles.offset[:, :1] + tiles.offset[:, 1:]) * -3.2
    image = image * (1 + bevel.clamp(-0.2, 0.2))
    bed = over(canvas.ground * 0.82, canvas.dark, 0.35)
    image = over(image, canvas.line_colour, canvas.features())
    image = over(image, bed, grout * 0.85)
    return over(image, canvas.outline_colour, canvas.outlines())


def _blocks(canvas: Canvas, count: int, stretch: float) -> Cells:
    """Lay rectangular tiles in slightly wavy rows, every other row displaced when they are stretched."""
    size = canvas.size
    x, y = coordinates(size)
    waver = noise(canvas.dice, size, 5)
    v = y * count + 0.22 * waver
    row = v.floor()
    u = x * (count / stretch) + 0.15 * waver + 0.5 * (row % 2) * (stretch > 1)
    column = u.floor()
    du, dv = u - column - 0.5, v - row - 0.5
    edge = torch.minimum((0.5 - du.abs()) * stretch, 0.5 - dv.abs()) / count
    lattice = canvas.dice.field(1, 32, 32).flatten(2)
    index = ((row + 2) % 32 * 32 + (column + 2) % 32).long().expand(len(lattice), 1, size, size)
    shade = lattice.gather(2, index.flatten(2)).view_as(index)
    return Cells(edge, shade, (du**2 + dv**2).sqrt() / count, torch.cat([du * stretch, dv], 1) / count)


def paint_glass(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    dice = canvas.dice
    x, y = coordinates(size)
    if brushwork in {"large panes", "small panes"}:
        panes = cells(dice, size, 5 if brushwork == "large panes" else 9)
        edge, shade = panes.edge, panes.shade
    else:
        if brushwork == "diamond panes":
            u, v = (x + 0.62 * y) * 5.5 + dice.number(), (x - 0.62 * y) * 5.5 + dice.number()
            scale = 1 / 6.4
        else:
            dx, dy = x - dice.number(0.35, 0.65), y - dice.number(0.9, 1.15)
            radius = (dx * dx + dy * dy).sqrt()
            u, v = radius * 4.5, torch.atan2(dx, -dy) * 3.6
            scale = 1 / 4.5
        du, dv = u - u.floor(), v - v.floor()
        across = torch.minimum(dv, 1 - dv) * (scale if brushwork == "diamond panes" else 0.9 * radius / 3.6)
        edge = torch.minimum(torch.minimum(du, 1 - du) * scale, across)
        shade = (torch.sin(u.floor() * 12.99 + v.floor() * 78.23) * 43.7) % 1
    glow = 0.72 + 0.42 * shade + 0.25 * canvas.light
    vivid = over(luminance(canvas.flat).expand_as(canvas.flat), canvas.flat, 1.28).clamp(0, 1)
    inner = (torch.minimum(edge, canvas.border) / 0.05).clamp(0, 1)
    image = vivid * (glow + 0.22 * inner) + 0.10 * inner * glow
    image = over(image, canvas.line_colour, canvas.features())
    lead = torch.tensor([0.075, 0.075, 0.085]).view(1, 3, 1, 1)
    thin = coverage(max(0.0055, 0.42 * canvas.px) - edge, size, canvas.softness * 0.4)
    image = over(image, lead, thin * 0.92)
    thick = canvas.outline.clamp(min=0.008)
    image = over(
        image, lead, coverage(max(0.006, 0.5 * canvas.px) - canvas.border, size, canvas.softness * 0.4)
    )
    came = coverage(thick * 1.15 - canvas.contour, size, canvas.softness * 0.5)
    return over(image, canvas.outline_colour * 0.9, came)


_BAYER = torch.tensor([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]]).float() / 16 + 1 / 32


def paint_pixels(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    count = 26 if brushwork == "chunky pixels" else 40
    if size < 120:
        count = 24 if brushwork == "chunky pixels" else 32
    drawn = canvas.draw_lines(canvas.flat)
    image = functional.adaptive_avg_pool2d(drawn, count)
    smooth = canvas.softness > 0
    crisp = functional.interpolate(drawn, (count, count), mode="nearest-exact")
    image = torch.where(smooth, image, crisp)
    light = functional.adaptive_avg_pool2d(canvas.light, count)
    if brushwork == "ordered dithering":
        threshold = _BAYER.repeat(count // 4 + 1, count // 4 + 1)[:count, :count]
    elif brushwork == "checker dithering":
        grid = torch.arange(count)
        threshold = ((grid.view(-1, 1) + grid) % 2) * 0.55 + 0.22
    else:
        threshold = torch.full((count, count), 0.5)
    spread = 0.35 if brushwork in {"flat pixels", "chunky pixels"} else 0.0
    levels = torch.floor(light * 2.0 + threshold + spread * 0.0) / 2.0
    if brushwork in {"ordered dithering", "checker dithering"}:
        # bare areas are mixed from two shades as well
        deep = (luminance(image) * 3.1 + threshold.view(1, 1, count, count) * 0.9) % 1 > 0.62
        levels = levels - 0.34 * deep
    shade, shine = levels.clamp(-1, 0), levels.clamp(0, 1)
    image = image * (1 + 0.42 * shade) + (1 - image) * 0.3 * shine * (0.4 + image)
    image = (image * 15).round() / 15
    return functional.interpolate(image, (size, size), mode="nearest-exact")


_STITCHES = {
    "satin stitches": (24, 1.9, 0.36, 0.06),
    "seed stitches": (24, 0.62, 0.24, 3.1),
    "long form stitches": (18, 1.95, 0.36, 0.12),
}


def paint_embroidery(canvas: Canvas, brushwork: str) -> Tensor:
    size = canvas.size
    dice = canvas.dice
    cloth = over(canvas.flat * 0.80, canvas.ground, 0.10)
    if brushwork == "cross stitches":
        return _crosses(canvas, cloth)
    count, length, width, turn = _STITCHES[brushwork]
    angle = form_angle(canvas)
    if brushwork == "satin stitches":
        angle = torch.where(canvas.form > 0, torch.full_like(angle, 0.9), torch.full_like(angle, -0.25))
    picture = torch.cat([canvas.colour, canvas.objects], 1)
    strokes = lay_strokes(dice, picture, angle, count, length, width, jitter=0.55, turn=turn)
    keep = 1 - (strokes.colour[:, 3:] - canvas.objects).abs()
    thread = over(canvas.colour, strokes.colour[:, :3], 0.8 * keep)
    sheen = (1 - strokes.across**2) * 0.34 - 0.22 + 0.12 * torch.cos(strokes.along * 2.6)
    thread = thread * (1 + sheen + 0.16 * (strokes.shade - 0.5)) + 0.05 * sheen
    image = over(cloth, thread, strokes.covered)
    twist = coverage((torch.sin((coordinates(size)[0] + coordinates(size)[1]) * 150) - 0.1) * 0.01, size)
    image = over(image, canvas.line_colour, canvas.features(0.001) * 0.95)
    return over(image, canvas.outline_colour * (0.86 + 0.14 * twist), canvas.outlines())


def _crosses(canvas: Canvas, cloth: Tensor) -> Tensor:
    size = canvas.size
    count = 28 if size >= 120 else 21
    x, y = coordinates(size)
    lined = canvas.draw_lines(canvas.colour)
    pooled = functional.adaptive_avg_pool2d(lined, count)
    crisp = functional.interpolate(lined, (count, count), mode="nearest-exact")
    picture = torch.where(canvas.softness > 0, pooled, crisp)
    picture = picture * (1 + 0.16 * (canvas.dice.field(1, count, count) - 0.5))
    colour = functional.interpolate(picture, (size, size), mode="nearest-exact")
    u, v = (x * count) % 1 - 0.5, (y * count) % 1 - 0.5
    first = 0.19 - (u - v).abs() * 0.7
    second = 0.19 - (u + v).abs() * 0.7
    inside = 0.47 - torch.maximum(u.abs(), v.abs())
    under = coverage(torch.minimum(first, inside) / count, size)
    top = coverage(torch.minimum(second, inside) / count, size)
    image = over(cloth * 0.86, colour * 0.86, under)
    return over(image, (colour * 1.1).clamp(0, 1), top)
