"""Results: one JSON for each evaluation, and the tables that cards and README show of them.

`python -m stylekit.result README.md methods/*/README.md` rewrites what stands between

    <!-- results: results/style_retrieval.json -->
    <!-- end -->

in each file; the paths are relative to the file, several are separated by spaces. With names of metrics
behind a bar, `results: a.json | random/recall_at_1`, methods stand in rows and those metrics in columns.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console
from rich.table import Table

from stylekit.errors import DataError
from stylekit.metrics import UNITS, Better, Interval, Unit, mean_interval, paired_difference, unit_note
from stylekit.run import write_atomically

__all__ = [
    "Baseline",
    "Estimate",
    "Metric",
    "Result",
    "difference",
    "in_unit",
    "markdown_row",
    "methods_of",
    "metric_title",
    "over_seeds",
    "print_result",
    "read_result",
    "render_tables",
    "table",
    "table_of_metrics",
    "write_result",
]

_DECIMALS = 6
_TABLE = re.compile(r"(<!-- results: (?P<paths>[^>]+?) -->\n)(?P<table>.*?)(<!-- end -->)", re.DOTALL)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Estimate(_Strict):
    """A mean and its 95 % interval."""

    mean: float
    low: float
    high: float


class Metric(Estimate):
    """A metric over all styles and seeds."""

    per_seed: list[float]
    better: Better
    unit: Unit = "percent"


class Baseline(_Strict):
    """The same metrics of another method on the same boards."""

    method: str
    foundation: str
    metrics: dict[str, Metric]
    differences: dict[str, Estimate]
    """Of the method measured minus this baseline, style by style."""
    weights: list[str]
    """Digests, as of the method measured."""
    settings: dict[str, Any] = {}
    """As of the method measured."""
    seeds: list[int] = []
    """Of training, where the baseline was trained."""
    runs: list[str] = []


class Result(_Strict):
    """What one evaluation measured, and all that is needed to measure it again."""

    schema_version: Literal[2] = 2
    benchmark: str
    experiment: str
    method: str
    foundation: str
    data: str
    """What was trained on; empty for a method that learned nothing here."""
    config_digests: list[str]
    """Of each run, in the order of `seeds`."""
    weights: list[str]
    """A digest of the weights of each method that was measured, those of its foundation included."""
    settings: dict[str, Any] = {}
    """The config of the method: its settings and frozen models as its config names them; of a path the name.

    Empty in results from before it was kept.
    """
    command: str
    stylekit: str
    git: str
    seeds: list[int]
    """Of training, one for each run."""
    runs: list[str]
    metrics: dict[str, Metric]
    baselines: dict[str, Baseline]
    boards: dict[str, dict[str, Any]]
    unit: str = "styles"
    """What the intervals are over."""
    seconds: float
    peak_memory_bytes: int
    """Of the whole process."""
    device: str
    date: str

    @property
    def label(self) -> str:
        """The method, and what it stands on."""
        return _label(self.experiment, self.foundation)


def over_seeds(
    values: Sequence[Sequence[float]],
    clusters: Sequence[int],
    better: Better,
    unit: Unit = "percent",
) -> Metric:
    """Estimate a metric from one row of per-style values for each seed."""
    per_seed = [round(float(sum(row)) / len(row), _DECIMALS) for row in values]
    interval = mean_interval(values, clusters, limits=UNITS[unit].limits)
    return Metric(**_rounded(interval), per_seed=per_seed, better=better, unit=unit)


def difference(
    values: Sequence[Sequence[float]],
    baseline: Sequence[Sequence[float]],
    clusters: Sequence[int],
    unit: Unit = "percent",
) -> Estimate:
    """Estimate values minus baseline, style by style; the baseline has one row, or one for each seed."""
    limits = UNITS[unit].difference_limits
    return Estimate(**_rounded(paired_difference(values, baseline, clusters=clusters, limits=limits)))


def write_result(result: Result, path: Path) -> None:
    """Write a result as JSON, atomically."""
    write_atomically(path, result.model_dump_json(indent=2) + "\n")


def read_result(path: Path) -> Result:
    """Read a result and check that nothing is missing, unknown or of the wrong type."""
    if not path.is_file():
        raise DataError(f"There is no result {path}; `stylekit evaluate` writes results.")
    try:
        return Result.model_validate_json(path.read_text())
    except ValidationError as error:
        mistakes = [f"  {'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in error.errors()]
        raise DataError("\n".join([f"{path} is not a result:", *mistakes])) from None


def table(results: Sequence[Result]) -> str:
    """Lay results of one benchmark side by side as Markdown, baselines first, with intervals."""
    columns = methods_of(results)
    single = results[0] if len(results) == 1 else None
    against = (
        {f"over {name}": baseline.differences for name, baseline in single.baselines.items()}
        if single
        else {}
    )
    titles = ["metric", *columns, *against]
    lines = [
        markdown_row(titles),
        markdown_row(["---"] * len(titles)),
    ]
    for name, metric in results[0].metrics.items():
        cells = [in_unit(found.get(name), metric.unit) for found in columns.values()]
        cells += [in_unit(found.get(name), metric.unit, signed=True) for found in against.values()]
        lines.append(markdown_row([metric_title(name, metric), *cells]))
    return "\n\n".join(["\n".join(lines), *(_caption(result, result.metrics) for result in results)]) + "\n"


def table_of_metrics(results: Sequence[Result], metrics: Sequence[str]) -> str:
    """Lay out chosen metrics as Markdown, a row for each method, with intervals."""
    kinds = results[0].metrics
    if unknown := [name for name in metrics if name not in kinds]:
        raise DataError(f"{unknown[0]} is not measured; the results have {', '.join(kinds)}.")
    titles = ["method", *(metric_title(name, kinds[name]) for name in metrics)]
    lines = [markdown_row(titles), markdown_row(["---"] * len(titles))]
    for method, found in methods_of(results).items():
        cells = [in_unit(found.get(name), kinds[name].unit) for name in metrics]
        lines.append(markdown_row([method, *cells]))
    return "\n\n".join(["\n".join(lines), *(_caption(result, metrics) for result in results)]) + "\n"


def print_result(result: Result, path: Path) -> None:
    """Print a result as a table, and where it was written."""
    caption = f"{unit_note(one.unit for one in result.metrics.values())}, mean and 95 % interval"
    shown = Table(title=f"{result.benchmark}: {result.label}", caption=caption)
    columns = {name: baseline.metrics for name, baseline in result.baselines.items()}
    own = _free(result.experiment, columns)
    columns[own] = result.metrics
    shown.add_column("metric", no_wrap=True)
    for name in columns:
        style = "bold" if name == own else None
        shown.add_column(name, justify="right", style=style, overflow="fold")
    for name, metric in result.metrics.items():
        cells = [in_unit(found.get(name), metric.unit) for found in columns.values()]
        shown.add_row(metric_title(name, metric), *cells)
    console = Console()
    console.print(shown)
    console.print(f"Wrote {path}", soft_wrap=True, highlight=False)


def render_tables(markdown_file: Path) -> str:
    """Return the text of a Markdown file with every table of results made anew from its JSON."""

    def renew(match: re.Match[str]) -> str:
        paths, _, metrics = match["paths"].partition("|")
        results = [read_result(markdown_file.parent / path) for path in paths.split()]
        found = table_of_metrics(results, metrics.split()) if metrics else table(results)
        return f"{match[1]}\n{found}\n{match[4]}"

    return _TABLE.sub(renew, markdown_file.read_text())


def methods_of(results: Sequence[Result], names: Sequence[str] | None = None) -> dict[str, dict[str, Metric]]:
    """Map every method measured to its metrics, baselines first.

    Args:
        results: Of one benchmark.
        names: What to call the method of each, instead of its label.
    """
    if len({result.benchmark for result in results}) != 1:
        benchmarks = ", ".join(sorted({result.benchmark for result in results})) or "none"
        raise DataError(f"A table shows results of one benchmark; these are of: {benchmarks}.")
    found: dict[str, dict[str, Metric]] = {}
    for result in results:
        for name, baseline in result.baselines.items():
            found.setdefault(_label(name, baseline.foundation), baseline.metrics)
    for result, wanted in zip(results, names or [result.label for result in results], strict=True):
        found[_free(wanted, found)] = result.metrics
    return found


def _free(label: str, taken: Mapping[str, Any]) -> str:
    numbered = (f"{label} ({number})" for number in count(2))
    return label if label not in taken else next(name for name in numbered if name not in taken)


def _rounded(interval: Interval) -> dict[str, float]:
    return {name: round(value, _DECIMALS) for name, value in interval._asdict().items()}


def _label(experiment: str, foundation: str) -> str:
    return f"{experiment} ({foundation})" if foundation else experiment


def metric_title(name: str, metric: Metric) -> str:
    """Name a metric with its unit, where that is not percent, and an arrow to its better side."""
    arrow = {"higher": " ↑", "lower": " ↓", "neither": ""}[metric.better]
    symbol = UNITS[metric.unit].symbol
    return f"{name}{f' ({symbol})' if symbol else ''}{arrow}"


def markdown_row(cells: Sequence[str]) -> str:
    """Write a row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def in_unit(estimate: Estimate | None, unit: Unit = "percent", signed: bool = False) -> str:
    """Write a mean and its interval as numbers of a unit."""
    if estimate is None:
        return "–"
    return UNITS[unit].write(estimate.mean, estimate.low, estimate.high, signed)


def _caption(result: Result, shown: Iterable[str]) -> str:
    seeds = (
        f"training seeds {', '.join(map(str, result.seeds))}"
        if len(result.seeds) > 1
        else f"seed {result.seeds[0]}"
    )
    units = [result.metrics[name].unit for name in shown if name in result.metrics]
    images = ", ".join(f"{name} {board['images']:,} images" for name, board in result.boards.items())
    return (
        f"*{result.experiment}: {unit_note(units)}, mean and 95 % interval over "
        f"{result.unit}; {seeds}; {images}; "
        f"stylekit {result.stylekit}, `{result.command}`.*"
    )


def _main(files: Sequence[str]) -> int:
    if not files:
        print("usage: python -m stylekit.result README.md [FILE ...]", file=sys.stderr)
        return 2
    for file in map(Path, files):
        try:
            renewed = render_tables(file)
        except DataError as error:
            print(f"{file}: {error}", file=sys.stderr)
            return error.exit_code
        if renewed != file.read_text():
            write_atomically(file, renewed)
            print(f"{file}: tables renewed")
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
