"""What is to be painted: regions, colours, light and lines of each image, before any medium."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from stylekit.atelier.colouring import Colouring, assign_colours
from stylekit.atelier.layout import SceneMaps
from stylekit.atelier.lighting import illuminate, light_field
from stylekit.atelier.motif import BACKDROP_MOTIFS, OBJECT_MOTIFS, apply_motif
from stylekit.atelier.style import Style
from stylekit.atelier.texture import Dice, blur, coordinates, coverage, noise

__all__ = ["Canvas", "form_angle", "luminance", "over", "prepare", "traces"]


@dataclass(frozen=True)
class Canvas:
    """A batch of images, composed but not yet painted."""

    size: int
    dice: Dice
    """The medium's own random numbers."""
    colour: Float[Tensor, "n 3 h w"]
    """Every region in its colour, lit; without lines and outlines."""
    flat: Float[Tensor, "n 3 h w"]
    """The same, unlit."""
    light: Float[Tensor, "n 1 h w"]
    """From -1 (deep shadow) over 0 to 1 (highlight)."""
    objects: Float[Tensor, "n 1 h w"]
    """Coverage by objects."""
    form: Float[Tensor, "n 1 h w"]
    """Signed distance to the nearest object's outer edge, positive inside."""
    contour: Float[Tensor, "n 1 h w"]
    """Distance to the nearest visible edge of an object."""
    border: Float[Tensor, "n 1 h w"]
    """Distance to the nearest visible edge, those of the backdrop's regions included."""
    line: Float[Tensor, "n 1 h w"]
    """Signed distance to the drawn features inside objects, positive on a line."""
    line_colour: Float[Tensor, "n 3 h w"]
    outline: Float[Tensor, "n 1 1 1"]
    """Half the width of the outline; 0 for none."""
    outline_colour: Float[Tensor, "n 3 1 1"]
    softness: Float[Tensor, "n 1 1 1"]
    """Width of the ramp at edges beyond a pixel."""
    dark: Float[Tensor, "n 3 1 1"]
    ground: Float[Tensor, "n 3 1 1"]
    """The lightest colour, that of the paper."""
    accent: Float[Tensor, "n 3 1 1"]
    main: Float[Tensor, "n 3 1 1"]

    @property
    def px(self) -> float:
        return 1 / self.size

    def select(self, members: Sequence[int], seeds: Sequence[int]) -> Canvas:
        """Return some of the images, to be painted in one medium."""
        chosen = {field.name: getattr(self, field.name) for field in fields(self)}
        for name, value in chosen.items():
            if isinstance(value, Tensor):
                chosen[name] = value[list(members)]
        return Canvas(**{**chosen, "dice": Dice([seeds[index] for index in members], 4)})

    def features(self, grow: float = 0.0) -> Float[Tensor, "n 1 h w"]:
        """Return the coverage of the lines inside objects."""
        return coverage(self.line + grow, self.size, self.softness * 0.5)

    def outlines(self, rough: Tensor | float = 0.0) -> Float[Tensor, "n 1 h w"]:
        """Return the coverage of the outline round objects."""
        drawn = coverage(self.outline + rough - self.contour, self.size, self.softness * 0.6)
        return drawn * (self.outline > 0)

    def draw_lines(self, image: Tensor, rough: Tensor | float = 0.0) -> Tensor:
        """Draw features and outlines in their flat colours over an image."""
        image = over(image, self.line_colour, self.features())
        return over(image, self.outline_colour, self.outlines(rough))


def prepare(
    maps: SceneMaps, styles: Sequence[Style], seeds: Sequence[int], wobble: Sequence[float]
) -> Canvas:
    """Compose images: assign colours, place motifs, light the forms, find the edges.

    Args:
        maps: Where everything is.
        styles: The style of each image.
        seeds: The seed of each image.
        wobble: How far the hand strays from each image's edges, in image widths.
    """
    size = maps.shapes.shape[-1]
    waver = noise(Dice(seeds, 2), size, 9, octaves=2) * _column(wobble)
    shapes = torch.where(maps.present[:, :, None, None, None], maps.shapes.float() + waver.unsqueeze(1), -1.0)
    softness = _column([0.026 if style.edges == "soft edges" else 0.0 for style in styles])
    colourings = [
        assign_colours(style.palette, style.distribution, seed, shapes.shape[1])
        for style, seed in zip(styles, seeds, strict=True)
    ]
    form, contour, line = _edges(shapes)
    light = light_field([style.light for style in styles], Dice(seeds, 3), form)
    flat = _backdrop(maps, colourings, styles, seeds, form, softness)
    flat, line_colour, objects = _objects(flat, shapes, colourings, styles, seeds, form, softness)
    outline, outline_colour = _outline(styles, colourings, size)
    border = torch.minimum(contour, -maps.backdrop_line.unsqueeze(1).clamp(max=0) + (form > 0) * 1.0)
    return Canvas(
        size=size,
        dice=Dice(seeds, 4),
        colour=illuminate(flat, light),
        flat=flat,
        light=light,
        objects=objects,
        form=form,
        contour=contour,
        border=border,
        line=line,
        line_colour=line_colour,
        outline=outline,
        outline_colour=outline_colour,
        softness=softness,
        dark=_colours([c.dark for c in colourings]),
        ground=_colours([c.light for c in colourings]),
        accent=_colours([c.accent for c in colourings]),
        main=_colours([c.far[0] for c in colourings]),
    )


def over(image: Tensor, colour: Tensor, alpha: Tensor | float) -> Tensor:
    """Lay a colour over an image."""
    return torch.lerp(image, colour, alpha)


def luminance(image: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 1 h w"]:
    """Return how light an image looks, 0 to 1 (linear in CIE lightness, roughly)."""
    return 0.30 * image[:, 0:1] + 0.59 * image[:, 1:2] + 0.11 * image[:, 2:3]


def _edges(shapes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Find what of the silhouettes and lines is not hidden by something in front."""
    n, k, _, h, w = shapes.shape
    covered = torch.full((n, 1, h, w), -1.0)
    contour = torch.full((n, 1, h, w), 1.0)
    line = torch.full((n, 1, h, w), -1.0)
    for index in reversed(range(k)):
        silhouette, drawn = shapes[:, index, 0:1], shapes[:, index, 2:3]
        # the icon's own outline is left to the style: keep only lines well inside the silhouette
        stroke = 2 * drawn.amax((2, 3), keepdim=True).clamp(0, 0.05)
        inner = torch.minimum(drawn, silhouette - 1.15 * stroke)
        line = torch.maximum(line, torch.minimum(inner, -covered))
        contour = torch.minimum(contour, torch.maximum(silhouette.abs(), covered))
        covered = torch.maximum(covered, silhouette)
    return covered, contour, line


def _backdrop(
    maps: SceneMaps,
    colourings: Sequence[Colouring],
    styles: Sequence[Style],
    seeds: Sequence[int],
    form: Tensor,
    softness: Tensor,
) -> Tensor:
    size = form.shape[-1]
    dice = Dice(seeds, 5)
    blend = _blend([c.blend for c in colourings], dice, size)
    motif = apply_motif(BACKDROP_MOTIFS, [style.identity for style in styles], seeds, form)
    far = over(_colours([c.far[0] for c in colourings]), _colours([c.far[1] for c in colourings]), blend)
    near = over(_colours([c.near[0] for c in colourings]), _colours([c.near[1] for c in colourings]), blend)
    detail = _colours([c.detail for c in colourings])
    second = _colours([c.motif for c in colourings])
    far = over(far, second, motif)
    near = over(near, second, motif * 0.5)
    backdrop = maps.backdrop.float()
    soft = softness.flatten() > 0
    if bool(soft.any()):
        backdrop = backdrop.clone()
        backdrop[soft] = blur(backdrop[soft], 0.014)
    return far * backdrop[:, 0:1] + near * backdrop[:, 1:2] + detail * backdrop[:, 2:3]


def _blend(words: Sequence[str], dice: Dice, size: int) -> Float[Tensor, "n 1 h w"]:
    """Return how far the backdrop has passed into its second colour."""
    x, y = coordinates(size)
    phase, slope = dice.number(-0.15, 0.15), dice.number(0.8, 1.3)
    number = dice.number(3.0, 5.0)
    gradient = ((y + phase) * slope).clamp(0, 1).expand(-1, 1, size, size)
    choices = {
        "plain": torch.zeros_like(gradient),
        "gradient": gradient,
        "bands": coverage((torch.sin((y + phase) * number * 6.283) + 0.0) * 0.04, size).expand_as(gradient),
        "glow": (1.7 * slope * ((x - 0.5 - phase) ** 2 + (y - 0.5) ** 2).sqrt()).clamp(0, 1),
    }
    if "patches" in words:
        choices["patches"] = coverage((noise(dice, size, 5, octaves=2) - phase) * 0.1, size)
    return torch.stack([choices[word][index] for index, word in enumerate(words)])


def _objects(
    image: Tensor,
    shapes: Tensor,
    colourings: Sequence[Colouring],
    styles: Sequence[Style],
    seeds: Sequence[int],
    form: Tensor,
    softness: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Lay the objects over the backdrop, back to front."""
    size = image.shape[-1]
    pattern = apply_motif(OBJECT_MOTIFS, [style.identity for style in styles], seeds, form)
    line_colour = _colours([c.dark for c in colourings]).expand_as(image)
    everything = torch.zeros_like(image[:, :1])
    for index in range(shapes.shape[1]):
        colour, tone, drawn = (
            _colours([getattr(c, field)[index] for c in colourings])
            for field in ("objects", "tones", "lines")
        )
        alpha = coverage(shapes[:, index, 0:1], size, softness)
        inner = coverage(shapes[:, index, 1:2], size, softness)
        filled = over(over(colour, tone, pattern), tone, inner)
        # a shadow on the things behind keeps two things of like colour apart
        reach = coverage(shapes[:, index, 0:1] + 0.013, size, 0.01) * everything
        image = over(image * (1 - 0.4 * reach), filled, alpha)
        line_colour = over(line_colour, drawn, (shapes[:, index, 0:1] > 0).float())
        everything = everything + (1 - everything) * alpha
    return image, line_colour, everything


def _outline(styles: Sequence[Style], colourings: Sequence[Colouring], size: int) -> tuple[Tensor, Tensor]:
    widths = {
        "no outline": 0.0,
        "thin dark outline": max(0.005, 0.55 / size),
        "bold dark outline": max(0.013, 0.9 / size),
        "white outline": max(0.012, 0.85 / size),
        "coloured outline": max(0.012, 0.85 / size),
    }
    colours = []
    for style, colouring in zip(styles, colourings, strict=True):
        dark = tuple(0.55 * channel for channel in colouring.dark)
        choices = {"white outline": (0.99, 0.98, 0.96), "coloured outline": colouring.accent}
        colours.append(choices.get(style.outline, dark))
    return _column([widths[style.outline] for style in styles]), _colours(colours)


def _column(values: Sequence[float]) -> Float[Tensor, "n 1 1 1"]:
    return torch.tensor(values).view(-1, 1, 1, 1)


def _colours(values: Sequence[Sequence[float]]) -> Float[Tensor, "n 3 1 1"]:
    return torch.tensor([tuple(value) for value in values]).view(-1, 3, 1, 1)


def traces(canvas: Canvas) -> Float[Tensor, "n 1 h w"]:
    """Return thin lines where the backdrop changes colour, for media that draw rather than fill."""
    change = (canvas.flat - blur(canvas.flat, 0.012)).abs()
    return ((change[:, 0:1] + change[:, 1:2] + change[:, 2:3]) * 5).clamp(0, 1) * (1 - canvas.objects)


def form_angle(canvas: Canvas) -> Float[Tensor, "n 1 h w"]:
    """Return the direction along the contours of the nearest form."""
    smooth = blur(canvas.form, 0.02)
    right = functional.pad(smooth[..., 2:] - smooth[..., :-2], (1, 1, 0, 0), mode="replicate")
    down = functional.pad(smooth[..., 2:, :] - smooth[..., :-2, :], (0, 0, 1, 1), mode="replicate")
    return torch.atan2(right, -down)
