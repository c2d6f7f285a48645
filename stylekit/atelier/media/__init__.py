"""The painters of all media, each a function of the composed images and the brushwork."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from stylekit.atelier.canvas import Canvas
from stylekit.atelier.media.carved import paint_blueprint, paint_woodcut
from stylekit.atelier.media.drawn import paint_halftone, paint_hatching, paint_ink, paint_stippling
from stylekit.atelier.media.dry import paint_chalk, paint_charcoal, paint_crayon, paint_pastel
from stylekit.atelier.media.flat import paint_cut_paper, paint_gouache, paint_screen_print, paint_vector
from stylekit.atelier.media.painted import paint_oil, paint_watercolour
from stylekit.atelier.media.pieces import paint_embroidery, paint_glass, paint_mosaic, paint_pixels

__all__ = ["PAINTERS", "Painter"]


class Painter(NamedTuple):
    """How a medium paints."""

    paint: Callable[[Canvas, str], Tensor]
    wobble: float = 0.0
    """How far the hand strays from the edges, in image widths."""


PAINTERS: dict[str, Painter] = {
    "flat vector": Painter(paint_vector),
    "ink line": Painter(paint_ink, 0.0035),
    "hatching": Painter(paint_hatching, 0.002),
    "stippling": Painter(paint_stippling),
    "halftone": Painter(paint_halftone),
    "watercolour": Painter(paint_watercolour, 0.0065),
    "oil paint": Painter(paint_oil, 0.003),
    "pastel": Painter(paint_pastel, 0.005),
    "woodcut": Painter(paint_woodcut, 0.004),
    "mosaic": Painter(paint_mosaic, 0.002),
    "stained glass": Painter(paint_glass),
    "pixel art": Painter(paint_pixels),
    "cut paper": Painter(paint_cut_paper, 0.0025),
    "chalk on board": Painter(paint_chalk, 0.005),
    "blueprint": Painter(paint_blueprint),
    "screen print": Painter(paint_screen_print),
    "crayon": Painter(paint_crayon, 0.006),
    "gouache": Painter(paint_gouache, 0.003),
    "embroidery": Painter(paint_embroidery, 0.002),
    "charcoal": Painter(paint_charcoal, 0.004),
}
