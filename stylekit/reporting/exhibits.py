"""What results hold to be looked at, as plain values for the page's template."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from stylekit.details import read_details
from stylekit.errors import DataError
from stylekit.reporting.charts import NUM_COLOURS, line_chart, scatter_chart
from stylekit.reporting.material import Measured
from stylekit.reporting.sections import Picture, Table, data_uri
from stylekit.reporting.sheet import draw_sheet

__all__ = ["Explained", "Map", "Strip", "explained", "maps", "sheets", "strips"]

_LEAST_FOR_A_MAP = 12


@dataclass(frozen=True)
class Tile:
    """One image of a strip: `right` has the style of the query, `same_content` shows the same."""

    source: str
    right: bool
    same_content: bool


@dataclass(frozen=True)
class Strip:
    """Queries with what was retrieved for them, the query first."""

    title: str
    rows: list[list[Tile]]


@dataclass(frozen=True)
class Map:
    """The same points, coloured twice."""

    title: str
    by_style: Markup
    by_content: Markup


@dataclass(frozen=True)
class Explained:
    """How one rendered image came about."""

    title: str
    source: str | None
    """Its pictures on one sheet."""
    tables: list[Table]
    chart: Markup
    legend: list[tuple[str, int]]
    """Names of the curves, each with its colour."""


def strips(results: Sequence[Measured]) -> list[Strip]:
    """Show what each method retrieved for the same queries."""
    found = []
    for one in results:
        exhibits = _exhibits(one)
        for board in _boards(exhibits, "strips"):
            pixels = exhibits[f"strips/{board}/pixels"]
            right = exhibits[f"strips/{board}/same_style"]
            same_content = exhibits[f"strips/{board}/same_content"]
            rows = [
                [
                    Tile(_jpeg(pixels[row, place]), bool(right[row, place]), bool(same_content[row, place]))
                    for place in range(pixels.shape[1])
                ]
                for row in range(len(pixels))
            ]
            found.append(Strip(f"{one.name}: {board}", rows))
    return found


def sheets(results: Sequence[Measured]) -> list[Picture]:
    """Show what each method rendered for the same prompts or originals."""
    found = []
    for one in results:
        exhibits = _exhibits(one)
        for board in _boards(exhibits, "sheet"):
            pixels = exhibits[f"sheet/{board}/pixels"]
            captions = exhibits.get(f"sheet/{board}/captions", np.array([""] * len(pixels)))
            file = io.BytesIO()
            draw_sheet(pixels, captions.tolist()).save(file, "JPEG", quality=88)
            found.append(Picture(f"{one.name}: {board}", data_uri(file.getvalue(), "jpeg")))
    return found


def explained(results: Sequence[Measured]) -> list[Explained]:
    """Show how images of each method that tells came about."""
    found = []
    for one in results:
        exhibits = _exhibits(one)
        for name in exhibits:
            if name.startswith("explained/") and name.endswith("/told"):
                parts = {part: exhibits.get(name.replace("told", part)) for part in ("caption", "pixels")}
                title = f"{one.name}: {name.split('/')[1]}, {parts['caption']}"
                found.append(_explained(title, str(exhibits[name]), parts["pixels"]))
    return found


def maps(results: Sequence[Measured]) -> list[Map]:
    """Lay the vectors of a few styles out in the plane."""
    found = []
    for one in results:
        exhibits = _exhibits(one)
        for board in _boards(exhibits, "map"):
            vectors = exhibits[f"map/{board}/vectors"].astype(np.float64)
            if len(vectors) < _LEAST_FOR_A_MAP:
                continue
            points = _flatten(vectors)
            styles = exhibits[f"map/{board}/style_ids"].tolist()
            contents = exhibits[f"map/{board}/content_ids"].tolist()
            title = f"{one.name}: {board}"
            found.append(
                Map(title, scatter_chart(points, styles, "style"), scatter_chart(points, contents, "content"))
            )
    return found


def _explained(title: str, text: str, pixels: NDArray[np.uint8] | None) -> Explained:
    told = json.loads(text)
    colours = {name: number % NUM_COLOURS for number, name in enumerate(told["curves"])}
    series = {name: list(enumerate(values)) for name, values in told["curves"].items()}
    source = None if pixels is None else _png(pixels)
    return Explained(title, source, _facts(told["facts"]), line_chart(series, colours), [*colours.items()])


def _facts(facts: Mapping[str, Any]) -> list[Table]:
    """Lay out each list of records as a table, and what else was told as one more."""
    records, others = list[Table](), list[list[str]]()
    for name, fact in facts.items():
        if isinstance(fact, list) and fact and all(isinstance(row, dict) for row in fact):
            titles = list(dict.fromkeys(key for row in fact for key in row))
            records.append(
                Table(name, titles, [[_as_text(row.get(key, "–")) for key in titles] for row in fact])
            )
        else:
            others.append([name, _as_text(fact)])
    return [*records, *([Table("facts", ["what", "value"], others)] if others else [])]


def _as_text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _exhibits(one: Measured) -> dict[str, NDArray[Any]]:
    try:
        return read_details(one.path).exhibits
    except DataError:  # a result that was copied without what lay beside it
        return {}


def _boards(exhibits: Mapping[str, Any], kind: str) -> list[str]:
    return list(dict.fromkeys(name.split("/")[1] for name in exhibits if name.startswith(f"{kind}/")))


def _flatten(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    from sklearn.manifold import TSNE

    perplexity = min(20.0, (len(vectors) - 1) / 3)
    points: NDArray[np.float64] = TSNE(
        perplexity=perplexity, init="pca", metric="cosine", random_state=0
    ).fit_transform(vectors)
    return points


def _jpeg(pixels: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(file, "JPEG", quality=88)
    return data_uri(file.getvalue(), "jpeg")


def _png(pixels: NDArray[np.uint8]) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return data_uri(file.getvalue(), "png")
