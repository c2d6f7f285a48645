"""Run a benchmark on a method and its baselines; write one result."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import torch

from stylekit.baseline import measure_baseline
from stylekit.benchmarks import Benchmark, BenchmarkResult
from stylekit.candidate import Candidate, check_fits, find_baselines, find_candidates
from stylekit.config import Config, build, digest
from stylekit.details import write_details
from stylekit.method import StyleMethod
from stylekit.result import (
    Baseline,
    Estimate,
    Metric,
    Result,
    difference,
    over_seeds,
    print_result,
    write_result,
)
from stylekit.run import environment, now, peak_memory, without_folders
from stylekit.tracking import Tracker
from stylekit.weights_digest import weights_digest

__all__ = ["evaluate"]


def evaluate(
    *targets: str | Path,
    overrides: Sequence[str] = (),
    out: Path | None = None,
    config_dirs: Sequence[Path] = (),
    parent_run_id: str | None = None,
) -> Result:
    """Run the benchmark that the config names on a method and on the benchmark's baselines.

    Args:
        targets: Finished runs of one experiment with different seeds, or one experiment whose method needs no
            training.
        overrides: `benchmark=NAME`, `benchmark.key=value`; for an experiment any other override, too.
        out: The JSON to write; by default eval/BENCHMARK.json in the run's folder, or for several runs in the
            folder that holds them.
        config_dirs: Further config folders.
        parent_run_id: MLflow run under which to nest that of an experiment that needs no training.
    """
    began = time.monotonic()
    candidates = find_candidates(targets, overrides, config_dirs)
    first = candidates[0]
    baselines = find_baselines(first, config_dirs)
    for candidate in chain([first], *baselines.values()):
        check_fits(candidate, first.config, config_dirs)
    device = _device(first.config)
    benchmark: Benchmark[Any] = build(first.config.values["benchmark"])
    # Loaded first: a baseline whose weights are missing is to fail now, not after the runs were measured. It
    # waits beside the device, whose memory is measured.
    waiting = torch.device("cpu")
    loaded = {name: one.load(waiting) for name, (one, *_) in baselines.items() if one.run is None}
    ours = [_measure(candidate, candidate.load(device), benchmark) for candidate in candidates]
    measured = [one.result for one in ours]
    compared = {
        name: [
            _compare(
                (loaded.pop(name, None) or one.load(waiting)).to(device),
                one,
                benchmark,
                first.config,
                measured[0].boards,
            )
            for one in several
        ]
        for name, several in baselines.items()
    }
    result = Result(
        benchmark=benchmark.name,
        experiment=first.config.name,
        method=first.method_name,
        foundation=first.foundation,
        data=first.config.choices.get("data", "") if first.run else "",
        config_digests=[_digest(candidate) for candidate in candidates],
        command=_command(targets, overrides),
        stylekit=environment()["stylekit"],
        git=environment()["git"],
        weights=[one.weights for one in ours],
        settings=without_folders(first.method),
        seeds=[one.seed for one in ours],
        runs=[candidate.run.path.name for candidate in candidates if candidate.run],
        metrics=_metrics(measured),
        baselines={name: _as_baseline(several, compared[name], ours) for name, several in baselines.items()},
        boards=measured[0].boards,
        unit=benchmark.unit,
        seconds=round(time.monotonic() - began, 1),
        peak_memory_bytes=peak_memory(),
        device=_describe(device),
        date=now(),
    )
    path = out or _place(candidates) / "eval" / f"{benchmark.name}.json"
    write_details(
        path.with_suffix(".npz"),
        {name: _rows(measured, name) for name in measured[0].scores},
        {name: scores.clusters for name, scores in measured[0].scores.items()},
        measured[0].exhibits,
    )
    write_result(result, path)
    _track(candidates, result, path, parent_run_id)
    print_result(result, path)
    return result


class _Measured(NamedTuple):
    """What was measured of a method, and a digest of its weights."""

    result: BenchmarkResult
    weights: str
    seed: int


def _measure(candidate: Candidate, method: StyleMethod, benchmark: Benchmark[Any]) -> _Measured:
    return _Measured(benchmark.run(method), weights_digest(method), candidate.seed)


def _compare(
    method: StyleMethod,
    candidate: Candidate,
    benchmark: Benchmark[Any],
    config: Config,
    boards: dict[str, Any],
) -> _Measured:
    benchmark_settings = {
        key: value for key, value in config.values["benchmark"].items() if key != "baselines"
    }
    # Of another device time and memory are others.
    settings = {
        "benchmark": benchmark_settings,
        "method": candidate.method,
        "device": _describe(method.device),
    }
    kept_in = Path(config.values["runs"]) / ".baselines"
    weights = weights_digest(method)  # gigabytes of a large method are hashed once
    found = measure_baseline(benchmark, method, weights, settings, kept_in, boards)
    return _Measured(found, weights, candidate.seed)


def _as_baseline(
    candidates: Sequence[Candidate], theirs: Sequence[_Measured], ours: Sequence[_Measured]
) -> Baseline:
    return Baseline(
        method=candidates[0].method_name,
        foundation=candidates[0].foundation,
        metrics=_metrics([one.result for one in theirs]),
        differences=_differences(ours, theirs),
        weights=[one.weights for one in theirs],
        settings=without_folders(candidates[0].method),
        seeds=[candidate.seed for candidate in candidates if candidate.run],
        runs=[candidate.run.path.name for candidate in candidates if candidate.run],
    )


def _metrics(measured: Sequence[BenchmarkResult]) -> dict[str, Metric]:
    return {
        name: over_seeds(_rows(measured, name), scores.clusters, scores.better, scores.unit)
        for name, scores in measured[0].scores.items()
    }


def _differences(ours: Sequence[_Measured], theirs: Sequence[_Measured]) -> dict[str, Estimate]:
    """Pair seed by seed where both have the same seeds; else with the mean of the baseline."""
    by_seed = {one.seed: one.result for one in theirs}
    found = {}
    for name, scores in ours[0].result.scores.items():
        if any(name not in one.result.scores for one in theirs):
            continue  # the benchmark does not measure it of every method
        if by_seed.keys() == {one.seed for one in ours}:
            rows = _rows([by_seed[one.seed] for one in ours], name)
        else:
            values = zip(*_rows([one.result for one in theirs], name), strict=True)
            rows = [[fmean(of_all_seeds) for of_all_seeds in values]]
        own = _rows([one.result for one in ours], name)
        found[name] = difference(own, rows, scores.clusters, scores.unit)
    return found


def _rows(measured: Sequence[BenchmarkResult], name: str) -> list[list[float]]:
    return [result.scores[name].values for result in measured]


def _device(config: Config) -> torch.device:
    wanted = (config.values.get("trainer") or {}).get("accelerator", "auto")
    return torch.device("cuda" if wanted in ("auto", "gpu", "cuda") and torch.cuda.is_available() else "cpu")


def _describe(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} threads"


def _digest(candidate: Candidate) -> str:
    state = candidate.run.read() if candidate.run else None
    return state.config_digest if state else digest(candidate.config)


def _place(candidates: Sequence[Candidate]) -> Path:
    """Name the folder whose eval/ holds the result: the run, what holds the runs, or one for the method."""
    first = candidates[0]
    if first.run is None:
        name = f"{first.config.choices.get('method', 'method')}-as-is-{digest(first.config)}"
        return Path(first.config.values["runs"]) / first.config.name / name
    return first.run.path if len(candidates) == 1 else first.run.path.parent


def _track(candidates: Sequence[Candidate], result: Result, path: Path, parent_run_id: str | None) -> None:
    """Add the metrics of each run to its own MLflow run, and the result to all."""
    for index, candidate in enumerate(candidates):
        node = candidate.config.values.get("tracking")
        if not node:
            continue
        state = candidate.run.read() if candidate.run else None
        folder = candidate.run.path if candidate.run else _place(candidates)
        tags = {
            "stylekit.method": result.method,
            "stylekit.foundation": result.foundation,
            "stylekit.experiment": result.experiment,
            "stylekit.benchmark": result.benchmark,
            "stylekit.config_digest": result.config_digests[index],
        }
        tracker: Tracker = build(node)
        tracker.open(
            folder,
            state.name if state else folder.name,
            state.mlflow_run_id if state else None,
            tags,
            state.parent_run_id if state else parent_run_id,
            reopen=state is not None,
        )
        metrics = {
            f"eval/{result.benchmark}/{name}": metric.per_seed[index]
            for name, metric in result.metrics.items()
        }
        tracker.log_metrics(metrics)
        tracker.log_artifact(path, "eval")
        tracker.close()


def _command(targets: Sequence[str | Path], overrides: Sequence[str]) -> str:
    shown = [os.path.relpath(target) if Path(target).is_absolute() else str(target) for target in targets]
    return shlex.join(["stylekit", "evaluate", *shown, *overrides])
