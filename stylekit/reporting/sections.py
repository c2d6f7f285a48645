"""What the page shows, as plain values for its template."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml
from markupsafe import Markup

from stylekit.ablation.summary import AblationResult, in_what, lay_out, marked
from stylekit.metrics import unit_note
from stylekit.reporting.charts import line_chart
from stylekit.reporting.material import Measured, ShownRun
from stylekit.result import Estimate, in_unit, methods_of, metric_title

__all__ = [
    "Chart",
    "Picture",
    "Table",
    "ablation_table",
    "config_table",
    "curves",
    "data_uri",
    "pictures",
    "result_tables",
]


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
            Picture(f"{run}, step {pictures[name][0]}", data_uri(pictures[name][1].read_bytes(), "png"))
            for run, pictures in found.items()
            if name in pictures
        ]
        for name in names
    }


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


def data_uri(data: bytes, kind: str) -> str:
    """Return a file as the page holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
