"""Charts as SVG, coloured by the page's style sheet, so that they follow light and dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

__all__ = ["line_chart", "scatter_chart", "ticks"]

_WIDTH, _HEIGHT = 480, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 10, 34
_MOST_POINTS = 400
NUM_COLOURS = 10


def line_chart(series: Mapping[str, Sequence[tuple[float, float]]], colours: Mapping[str, int]) -> Markup:
    """Draw values over steps, a line for each series; a single point is drawn as a dot."""
    points = [point for values in series.values() for point in values if math.isfinite(point[1])]
    if not points:
        return Markup("")
    xs, ys = (
        _Scale([x for x, _ in points], _LEFT, _WIDTH - _RIGHT),
        _Scale([y for _, y in points], _HEIGHT - _BOTTOM, _TOP),
    )
    parts = [_grid(xs, ys)]
    for name, values in series.items():
        kept = [(x, y) for x, y in _thin(values) if math.isfinite(y)]
        colour = f"c{colours[name] % NUM_COLOURS}"
        if len(kept) == 1:
            parts.append(_dot(xs(kept[0][0]), ys(kept[0][1]), 3, f"fill-{colour}", name))
        elif kept:
            path = " ".join(f"{xs(x):.1f},{ys(y):.1f}" for x, y in kept)
            parts.append(
                f'<polyline class="line {colour}" points="{path}"><title>{escape(name)}</title></polyline>'
            )
    return _svg(parts, "a line chart")


def scatter_chart(points: NDArray[np.float64], labels: Sequence[int], kind: str) -> Markup:
    """Draw points of the plane, coloured by label; more labels than colours get another shape."""
    xs = _Scale(points[:, 0].tolist(), 8, _HEIGHT - 8)
    ys = _Scale(points[:, 1].tolist(), _HEIGHT - 8, 8)
    numbers = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    parts = []
    for (x, y), label in zip(points.tolist(), labels, strict=True):
        number = numbers[label]
        name, colour = f"{kind} {label}", f"fill-c{number % NUM_COLOURS}"
        if number < NUM_COLOURS:
            parts.append(_dot(xs(x), ys(y), 3.2, colour, name))
        else:
            parts.append(
                f'<rect class="{colour}" x="{xs(x) - 2.8:.1f}" y="{ys(y) - 2.8:.1f}" width="5.6" '
                f'height="5.6"><title>{escape(name)}</title></rect>'
            )
    body = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {_HEIGHT} {_HEIGHT}" role="img" aria-label="a map">{body}</svg>')


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Choose round numbers that cover a range."""
    if low == high:
        return [low]
    rough = (high - low) / (most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


class _Scale:
    """Maps values to pixels."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.low, self.high = min(values), max(values)
        self.start, self.end = start, end

    def __call__(self, value: float) -> float:
        if self.low == self.high:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def _thin(values: Sequence[tuple[float, float]]) -> Sequence[tuple[float, float]]:
    step = max(1, math.ceil(len(values) / _MOST_POINTS))
    return [*values[:-1:step], values[-1]] if values else values


def _grid(xs: _Scale, ys: _Scale) -> str:
    parts = []
    for value in ticks(ys.low, ys.high):
        y = ys(value)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    for value in ticks(xs.low, xs.high):
        parts.append(
            f'<text x="{xs(value):.1f}" y="{_HEIGHT - _BOTTOM + 18}" text-anchor="middle">{value:g}</text>'
        )
    parts.append(f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 2}" text-anchor="middle">step</text>')
    return "".join(parts)


def _dot(x: float, y: float, radius: float, colour: str, name: str) -> str:
    title = f"<title>{escape(name)}</title>"
    return f'<circle class="{colour}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}">{title}</circle>'


def _svg(parts: Sequence[str], what: str) -> Markup:
    body = "".join(parts)
    return Markup(f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{what}">{body}</svg>')
