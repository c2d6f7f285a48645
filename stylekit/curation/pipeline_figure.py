"""A figure of the pipeline: its steps in a row, with what each kept and left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

from stylekit.curation.counting import PLURALS
from stylekit.curation.step import Counts

__all__ = ["StepCount", "pipeline_figure"]

_WIDTH, _HEIGHT, _GAP, _MARGIN, _LINE = 116, 74, 22, 14, 16


class StepCount(NamedTuple):
    """A step, and what became of its rows."""

    name: str
    kept: Counts
    rejected: int


def pipeline_figure(steps: Sequence[StepCount]) -> str:
    """Draw the steps as an SVG."""
    width = 2 * _MARGIN + len(steps) * (_WIDTH + _GAP) - _GAP
    height = 2 * _MARGIN + _HEIGHT + _LINE + 4
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, sans-serif" font-size="12" text-anchor="middle">',
        f"<title>The steps of the curation, and how many rows each kept</title>"
        f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
    ]
    for number, step in enumerate(steps):
        left = _MARGIN + number * (_WIDTH + _GAP)
        parts += _box(step, left)
        if number:
            x, y = left - _GAP, _MARGIN + _HEIGHT / 2
            parts.append(
                f'<path d="M{x + 3} {y}H{left - 8}" stroke="#57606a" stroke-width="1.5"/>'
                f'<path d="M{left - 9} {y - 4}L{left - 3} {y}L{left - 9} {y + 4}Z" fill="#57606a"/>'
            )
    return "\n".join([*parts, "</svg>", ""])


def _box(step: StepCount, left: int) -> list[str]:
    middle = left + _WIDTH / 2
    lines = [
        f'<rect x="{left}" y="{_MARGIN}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="#f1f5fb" '
        'stroke="#8aa4c8"/>',
        f'<text x="{middle}" y="{_MARGIN + 22}" font-weight="600" fill="#1f2328">{escape(step.name)}</text>',
    ]
    kept = [(kind, step.kept[kind]) for kind in PLURALS if step.kept.get(kind)]
    for row, (kind, number) in enumerate(kept):
        y = _MARGIN + 24 + (row + 1) * _LINE
        lines.append(f'<text x="{middle}" y="{y}" fill="#1f2328">{number:,} {PLURALS[kind]}</text>')
    if step.rejected:
        y = _MARGIN + _HEIGHT + _LINE
        lines.append(f'<text x="{middle}" y="{y}" fill="#a40e26">−{step.rejected:,}</text>')
    return lines
