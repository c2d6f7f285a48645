"""What an ablation found: a row for each point, with intervals over seeds and differences to the first."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from stylekit.ablation.points import Point
from stylekit.details import Details, read_details
from stylekit.errors import DataError
from stylekit.result import (
    Estimate,
    Metric,
    difference,
    in_percent,
    markdown_row,
    metric_title,
    over_seeds,
    read_result,
)

__all__ = ["AblationResult", "Row", "as_csv", "as_markdown", "marked", "read_ablation", "summarise"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Row(_Strict):
    """One point."""

    labels: dict[str, str]
    overrides: list[str]
    seeds: list[int]
    runs: list[str | None]
    results: list[str]
    """The result of each seed."""
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
    stylekit: str
    git: str
    date: str


def summarise(points: Sequence[tuple[Point, Mapping[int, tuple[str | None, Path]]]]) -> list[Row]:
    """Join the results of each point, given as (run, result) by seed, over its seeds."""
    rows: list[Row] = []
    first: dict[int, Details] = {}
    for point, found in points:
        details = {seed: read_details(path) for seed, (_, path) in found.items()}
        first = first or details
        common = [seed for seed in details if seed in first] if rows else []
        kinds = read_result(next(path for _, path in found.values())).metrics
        rows.append(
            Row(
                labels=dict(point.labels),
                overrides=list(point.overrides),
                seeds=list(found),
                runs=[run for run, _ in found.values()],
                results=[str(path) for _, path in found.values()],
                metrics=_metrics(list(details.values()), kinds),
                differences=_differences([details[seed] for seed in common], [first[seed] for seed in common])
                if common
                else {},
            )
        )
    return rows


def read_ablation(path: Path) -> AblationResult:
    """Read what an ablation wrote."""
    if not path.is_file():
        raise DataError(f"There is no {path}; `stylekit ablate` writes it.")
    return AblationResult.model_validate_json(path.read_text())


def as_markdown(found: AblationResult) -> str:
    """Write the table in percent; a difference whose interval excludes zero is marked with a star."""
    axes = list(found.rows[0].labels)
    kinds = found.rows[0].metrics
    titles = [text for name in found.metrics for text in (metric_title(name, kinds[name]), "over the first")]
    lines = [markdown_row([*axes, "seeds", *titles]), markdown_row(["---"] * (len(axes) + 1 + len(titles)))]
    for row in found.rows:
        cells = [row.labels[axis] for axis in axes] + [str(len(row.seeds))]
        for name in found.metrics:
            cells += [in_percent(row.metrics[name]), marked(row.differences.get(name))]
        lines.append(markdown_row(cells))
    caption = (
        f"*{found.ablation}, {found.experiment}: {found.benchmark}, percent, mean and 95 % interval over "
        "styles and training seeds; differences are paired by style and seed, * where the interval excludes "
        f"zero; stylekit {found.stylekit}, `{found.command}`.*"
    )
    return "\n".join(lines) + f"\n\n{caption}\n"


def as_csv(found: AblationResult) -> str:
    """Write every metric of every point, a line each, as fractions."""
    columns = ["metric", "better", "seeds", "mean", "low", "high", "difference", "difference_low"]
    columns += ["difference_high", "per_seed"]
    text = io.StringIO()
    writer = csv.DictWriter(text, [*found.rows[0].labels, *columns], lineterminator="\n")
    writer.writeheader()
    for row in found.rows:
        for name, metric in row.metrics.items():
            line = row.labels | {"metric": name, "better": metric.better, "seeds": str(len(row.seeds))}
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


def marked(change: Estimate | None) -> str:
    """Write a difference in percent, with a star where its interval excludes zero."""
    if change is None:
        return "–"
    star = " *" if change.low > 0 or change.high < 0 else ""
    return in_percent(change, signed=True) + star


def _metrics(details: Sequence[Details], kinds: Mapping[str, Metric]) -> dict[str, Metric]:
    return {
        name: over_seeds(_rows(details, name), details[0].clusters[name].tolist(), kind.better)
        for name, kind in kinds.items()
    }


def _differences(ours: Sequence[Details], first: Sequence[Details]) -> dict[str, Estimate]:
    return {
        name: difference(_rows(ours, name), _rows(first, name), ours[0].clusters[name].tolist())
        for name, scores in ours[0].scores.items()
        # on another board there is nothing to pair
        if name in first[0].scores and first[0].scores[name].shape == scores.shape
    }


def _rows(details: Sequence[Details], name: str) -> list[list[float]]:
    return [row for one in details for row in one.scores[name].tolist()]
