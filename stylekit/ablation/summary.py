"""What an ablation found: a row for each point, with intervals over seeds and differences to the first."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from stylekit.ablation.done import Done
from stylekit.ablation.points import Point
from stylekit.details import Details, read_details
from stylekit.errors import DataError
from stylekit.metrics import Unit, unit_note
from stylekit.result import (
    Estimate,
    Metric,
    Result,
    difference,
    in_unit,
    markdown_row,
    metric_title,
    over_seeds,
    read_result,
)

__all__ = [
    "AblationResult",
    "Row",
    "as_csv",
    "as_markdown",
    "in_what",
    "lay_out",
    "marked",
    "read_ablation",
    "summarise",
]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Row(_Strict):
    """One point."""

    labels: dict[str, str]
    overrides: list[str]
    seeds: list[int]
    runs: list[str | None]
    results: list[str]
    """The result of each seed; these and the runs are named from the ablation's folder."""
    metrics: dict[str, Metric]
    differences: dict[str, Estimate]
    """To the first row, style by style and seed by seed; empty in the first row."""


class AblationResult(_Strict):
    """All points that finished, and what is needed to do it again."""

    schema_version: int = 1
    ablation: str
    experiment: str
    benchmark: str
    metrics: list[str]
    """Those that tables show."""
    rows: list[Row]
    failed: dict[str, str]
    """The log of each task that failed."""
    command: str
    unit: str = "styles"
    """What the intervals are over, beside training seeds."""
    stylekit: str
    git: str
    date: str


def summarise(
    points: Sequence[tuple[Point, Mapping[int, Done]]], reference: Point, folder: Path
) -> list[Row]:
    """Join the results of each point over its seeds; paths are kept relative to the ablation's folder.

    Differences are to the reference, where it has results on the same boards.
    """
    read = {
        point: {seed: _Measured.read(Path(done.result)) for seed, done in dones.items()}
        for point, dones in points
    }
    first = read.get(reference, {})
    rows = []
    for point, dones in points:
        found = read[point]
        common = [seed for seed in found if seed in first] if point != reference else []
        rows.append(
            Row(
                labels=dict(point.labels),
                overrides=list(point.overrides),
                seeds=list(found),
                runs=[os.path.relpath(done.run, folder) if done.run else None for done in dones.values()],
                results=[os.path.relpath(done.result, folder) for done in dones.values()],
                metrics=_metrics(list(found.values())),
                differences=_differences([found[seed] for seed in common], [first[seed] for seed in common]),
            )
        )
    return rows


@dataclass(frozen=True)
class _Measured:
    """A result with its scores style by style."""

    result: Result
    details: Details

    @classmethod
    def read(cls, path: Path) -> _Measured:
        return cls(read_result(path), read_details(path))

    def has_board_of(self, other: _Measured, metric: str) -> bool:
        """Whether a metric was measured on the same images as another result's."""
        board = metric.partition("/")[0]
        return metric in self.details.scores and self.result.boards.get(board) == other.result.boards.get(
            board
        )


def read_ablation(path: Path) -> AblationResult:
    """Read what an ablation wrote."""
    if not path.is_file():
        raise DataError(f"There is no {path}; `stylekit ablate` writes it.")
    return AblationResult.model_validate_json(path.read_text())


def lay_out(found: AblationResult) -> tuple[list[str], list[list[str]]]:
    """Return the titles and the rows of the table; see `marked` for the differences."""
    kinds = {name: metric for row in reversed(found.rows) for name, metric in row.metrics.items()}
    titles = [*found.rows[0].labels, "seeds"]
    for name in found.metrics:
        titles += [metric_title(name, kinds[name]), "over the first"]
    rows = []
    for row in found.rows:
        cells = [*row.labels.values(), str(len(row.seeds))]
        for name in found.metrics:
            unit = kinds[name].unit
            cells += [in_unit(row.metrics.get(name), unit), marked(row.differences.get(name), unit)]
        rows.append(cells)
    return titles, rows


def as_markdown(found: AblationResult) -> str:
    """Write the table; a difference whose interval excludes zero is marked with a star."""
    titles, rows = lay_out(found)
    lines = [markdown_row(titles), markdown_row(["---"] * len(titles)), *map(markdown_row, rows)]
    caption = (
        f"*{found.ablation}, {found.experiment}: {found.benchmark}, {in_what(found)}, mean and "
        f"95 % interval over {found.unit} and training seeds; differences are paired, * where the interval "
        f"excludes zero; stylekit {found.stylekit}, `{found.command}`.*"
    )
    return "\n".join(lines) + f"\n\n{caption}\n"


def in_what(found: AblationResult) -> str:
    """Say in what the numbers of its table are."""
    shown = [row.metrics[name].unit for row in found.rows for name in found.metrics if name in row.metrics]
    return unit_note(shown)


def as_csv(found: AblationResult) -> str:
    """Write every metric of every point, a line each, percentages as fractions."""
    columns = ["metric", "better", "unit", "seeds", "mean", "low", "high", "difference", "difference_low"]
    columns += ["difference_high", "per_seed"]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*found.rows[0].labels, *columns], lineterminator="\n")
    writer.writeheader()
    for row in found.rows:
        for name, metric in row.metrics.items():
            line = row.labels | {"metric": name, "better": metric.better, "unit": metric.unit}
            line["seeds"] = str(len(row.seeds))
            line |= {key: str(getattr(metric, key)) for key in ("mean", "low", "high")}
            line["per_seed"] = " ".join(map(str, metric.per_seed))
            if (to_first := row.differences.get(name)) is not None:
                line |= {
                    "difference": str(to_first.mean),
                    "difference_low": str(to_first.low),
                    "difference_high": str(to_first.high),
                }
            writer.writerow(line)
    return text.getvalue()


def marked(change: Estimate | None, unit: Unit = "percent") -> str:
    """Write a difference, with a star where its interval excludes zero."""
    if change is None:
        return "–"
    star = " *" if change.low > 0 or change.high < 0 else ""
    return in_unit(change, unit, signed=True) + star


def _metrics(found: Sequence[_Measured]) -> dict[str, Metric]:
    first = found[0]
    metrics = {}
    for name, kind in first.result.metrics.items():
        if all(one.has_board_of(first, name) for one in found):
            clusters = first.details.clusters[name].tolist()
            metrics[name] = over_seeds(_rows(found, name), clusters, kind.better, kind.unit)
    return metrics


def _differences(ours: Sequence[_Measured], first: Sequence[_Measured]) -> dict[str, Estimate]:
    differences = {}
    for name in ours[0].details.scores if ours else ():
        if all(one.has_board_of(ours[0], name) for one in (*ours, *first)):
            clusters = ours[0].details.clusters[name].tolist()
            unit = ours[0].result.metrics[name].unit
            differences[name] = difference(_rows(ours, name), _rows(first, name), clusters, unit)
    return differences


def _rows(found: Sequence[_Measured], name: str) -> list[list[float]]:
    return [row for one in found for row in one.details.scores[name].tolist()]
