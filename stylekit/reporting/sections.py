"""What the page shows, as plain values for its template."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import yaml
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from stylekit.ablation.summary import AblationResult, in_what, lay_out, marked
from stylekit.details import read_details
from stylekit.errors import DataError
from stylekit.metrics import unit_note
from stylekit.reporting.charts import line_chart, scatter_chart
from stylekit.reporting.material import Measured, ShownRun
from stylekit.reporting.sheet import draw_sheet
from stylekit.result import Estimate, in_unit, methods_of, metric_title

__all__ = [
    "Chart",
    "Map",
    "Picture",
    "Strip",
    "Table",
    "ablation_table",
    "config_table",
    "curves",
    "maps",
    "pictures",
    "result_tables",
    "sheets",
    "strips",
]

_LEAST_FOR_A_MAP = 12


@dataclass(frozen=True)
class Table:
    """Rows of text under titles."""

    caption: str
    titles: list[str]
    rows: list[list[str]]
    note: str = ""


@dataclass(frozen=True)
class Chart:
    """A drawing with a title."""

    title: str
    drawing: Markup


@dataclass(frozen=True)
class Picture:
    """A picture, as the page holds it."""

    caption: str
    source: str


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


def result_tables(results: Sequence[Measured]) -> list[Table]:
    """Lay the results of each benchmark side by side, baselines first."""
    tables = []
    for chosen in _comparable(results):
        benchmark = chosen[0].result.benchmark
        columns: dict[str, Mapping[str, Estimate]] = {
            **methods_of([one.result for one in chosen], [one.name for one in chosen])
        }
        if len(chosen) == 1:
            for name, baseline in chosen[0].result.baselines.items():
                columns[f"over {name}"] = baseline.differences
        rows = []
        kinds = {name: one for other in reversed(chosen) for name, one in other.result.metrics.items()}
        for name, metric in kinds.items():
            cells = [
                (marked if title.startswith("over ") else in_unit)(found.get(name), metric.unit)
                for title, found in columns.items()
            ]
            rows.append([metric_title(name, metric), *cells])
        said = _sentence(unit_note(one.unit for one in kinds.values()))
        note = f"{said}, mean and 95 % interval over {chosen[0].result.unit} and training seeds."
        if any(title.startswith("over ") for title in columns):
            note += " A star marks a difference whose interval excludes zero."
        tables.append(Table(benchmark, ["metric", *columns], rows, note))
    return tables


def ablation_table(found: AblationResult) -> Table:
    """Lay out the points of an ablation."""
    titles, rows = lay_out(found)
    note = (
        f"{_sentence(in_what(found))}, mean and 95 % interval over {found.unit} and training seeds; "
        "differences are paired by both, with a star where the interval excludes zero."
    )
    if found.failed:
        note += " Failed: " + "; ".join(f"{name} ({text})" for name, text in found.failed.items()) + "."
    return Table(f"{found.ablation}: {found.benchmark}", titles, rows, note)


def curves(runs: Sequence[ShownRun], colours: Mapping[str, int]) -> list[Chart]:
    """Draw each metric that any run logged in training, losses and validation first."""
    logged = {shown.name: shown.curves() for shown in runs}
    names = {name for found in logged.values() for name in found if not name.startswith("eval/")}
    charts = []
    for name in sorted(names - {"epoch"}, key=lambda name: (_place(name), name)):
        series = {run: found[name] for run, found in logged.items() if name in found}
        charts.append(Chart(name, line_chart(series, colours)))
    return charts


def pictures(runs: Sequence[ShownRun]) -> dict[str, list[Picture]]:
    """Set the last pictures of all runs side by side, by the name under which they were logged."""
    found = {shown.name: shown.pictures() for shown in runs}
    names = dict.fromkeys(name for pictures in found.values() for name in pictures)
    return {
        name: [
            Picture(f"{run}, step {pictures[name][0]}", _data_uri(pictures[name][1].read_bytes(), "png"))
            for run, pictures in found.items()
            if name in pictures
        ]
        for name in names
    }


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
            found.append(Picture(f"{one.name}: {board}", _data_uri(file.getvalue(), "jpeg")))
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


def config_table(runs: Sequence[ShownRun]) -> Table:
    """List the settings in which runs differ."""
    keys = dict.fromkeys(key for shown in runs for key in shown.config)
    rows = []
    for key in keys:
        values = [_as_text(shown.config.get(key, "–")) for shown in runs]
        if len(set(values)) > 1:
            rows.append([key, *values])
    note = "" if rows else "The runs do not differ in any setting."
    return Table("settings that differ", ["key", *(shown.name for shown in runs)], rows, note)


def _comparable(results: Sequence[Measured]) -> list[list[Measured]]:
    """Group results of the same benchmark on the same boards."""
    groups: dict[str, list[Measured]] = {}
    for one in results:
        key = json.dumps([one.result.benchmark, one.result.boards], sort_keys=True)
        groups.setdefault(key, []).append(one)
    return list(groups.values())


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}"


def _place(name: str) -> int:
    first = ("train/loss", "val/loss", "val/", "train/")
    return next((index for index, prefix in enumerate(first) if name.startswith(prefix)), len(first))


def _as_text(value: Any) -> str:
    return (
        value
        if isinstance(value, str)
        else yaml.safe_dump(value, default_flow_style=True, width=10**6).split("\n")[0]
    )


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
    return _data_uri(file.getvalue(), "jpeg")


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
