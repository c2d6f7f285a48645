"""What an evaluation measures: finished runs, or an experiment's method as it is, and its baselines."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from stylekit.benchmarks import Benchmark
from stylekit.config import Config, baseline_path, check, compose, compose_group, finished_runs, list_group
from stylekit.config import config_dirs as find_config_dirs
from stylekit.config.target import TargetError, resolve_target
from stylekit.errors import ConfigError, MissingError, StylekitError
from stylekit.foundation.foundation import Foundation
from stylekit.learned import build_method, compose_learned, refuse_unlearned
from stylekit.method import StyleMethod
from stylekit.run import Run, find_run, flatten, without_folders

__all__ = ["Candidate", "check_fits", "find_baselines", "find_candidates"]


@dataclass(frozen=True)
class Candidate:
    """What is measured: a finished run, or without one what an experiment or an exported file names."""

    config: Config
    run: Run | None
    foundation: str
    """The name of its foundation and what was changed in it; empty for none."""

    @property
    def method_class(self) -> type[Any]:
        """The class of the method, before anything is built."""
        return resolve_target(self.config.values["method"]["_target_"])

    @property
    def method_name(self) -> str:
        """The public name of the method."""
        return self.config.choices.get("method", self.method_class.__name__)

    @property
    def method(self) -> dict[str, Any]:
        """The settings of the method."""
        return dict(self.config.values["method"])

    @property
    def seed(self) -> int:
        """The seed of training."""
        return int(self.config.values["seed"])

    def load(self, device: torch.device) -> StyleMethod:
        """Build the method, with what it learned."""
        return build_method(self.config).to(device)


def find_candidates(
    targets: Sequence[str | Path], overrides: Sequence[str], config_dirs: Sequence[Path]
) -> list[Candidate]:
    """Find what targets name, and refuse what cannot be measured together."""
    if not targets:
        raise ConfigError("Name what to evaluate: finished runs, or an experiment (see `stylekit list`).")
    found = [find_run(target) for target in targets]
    if not any(found):
        if len(targets) > 1:
            raise ConfigError(f"Evaluate one experiment at a time, not {len(targets)}: {_names(targets)}.")
        return [_experiment(str(targets[0]), overrides, config_dirs)]
    if others := [target for target, run in zip(targets, found, strict=True) if run is None]:
        raise ConfigError(f"Not a run, so it cannot be combined with runs: {_names(others)}.")
    if foreign := [text for text in overrides if text.partition("=")[0].partition(".")[0] != "benchmark"]:
        raise ConfigError(
            f"A run is used as it was trained; only benchmark overrides apply to it, not {_names(foreign)}."
        )
    candidates = [_trained(Run(run.path.resolve()), overrides, config_dirs) for run in found if run]
    _check_differ_in_seed(candidates)
    return sorted(candidates, key=lambda candidate: candidate.seed)


def _experiment(name: str, overrides: Sequence[str], config_dirs: Sequence[Path]) -> Candidate:
    config = compose_learned(name, overrides, config_dirs)
    check(config, needs=("method", "benchmark"))
    refuse_unlearned(config)
    return Candidate(config, None, _describe_foundation(config, config_dirs))


def _trained(run: Run, overrides: Sequence[str], config_dirs: Sequence[Path]) -> Candidate:
    config = compose_learned(run.path, overrides, config_dirs)
    check(config, needs=("method", "benchmark"))
    refuse_unlearned(config)
    return Candidate(config, run, _describe_foundation(config, config_dirs))


def _check_differ_in_seed(candidates: Sequence[Candidate]) -> None:
    ours = [_without_seed(candidate.config) for candidate in candidates]
    for candidate, values in zip(candidates[1:], ours[1:], strict=True):
        changed = sorted(key for key in ours[0].keys() | values.keys() if ours[0].get(key) != values.get(key))
        if changed:
            assert candidate.run is not None
            raise ConfigError(
                f"Runs are combined over their seeds alone, but {candidate.run.path.name} differs from the "
                f"first in {_names(changed)}. Evaluate them apart."
            )
    seeds = [candidate.config.values["seed"] for candidate in candidates]
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"Runs to combine must differ in seed; these have {_names(seeds)}.")


def _without_seed(config: Config) -> dict[str, Any]:
    """Leave out the training seed and what follows it; another seed of the data is another experiment."""
    kept = {
        key: value
        for key, value in config.values.items()
        if key not in ("runs", "learned", "tracking", "trainer", "choices")
    }
    return {
        key: value
        for key, value in flatten(kept).items()
        if key != "seed" and config.links.get(key) != "seed"
    }


def find_baselines(first: Candidate, config_dirs: Sequence[Path]) -> dict[str, list[Candidate]]:
    """Find what the benchmark names: experiments that need no training, finished runs, or folders of them.

    An experiment stands on the foundation of what it is compared with. How that one's weights began is not
    carried over, and what the experiment itself changes in its foundation stays: SigLIP as it is has its
    weights, and an untrained tower has none, whatever they are compared with.
    """
    found: dict[str, list[Candidate]] = {}
    named = list_group("experiment", find_config_dirs(config_dirs))
    for name in first.config.values["benchmark"].get("baselines") or ():
        path = baseline_path(name)
        try:
            if name not in named and path.is_dir():
                runs = find_candidates(_runs_in(path), (), config_dirs)
                found[runs[0].config.name if runs[0].config.name not in found else str(name)] = runs
                continue
            baseline = _as_is(name if name in named else str(path), first, config_dirs)
        except ConfigError as error:
            raise ConfigError(f"benchmark.baselines: {name}: {error}") from error
        if first.run or baseline.method != first.method:
            found[name if name not in found else f"experiment {name}"] = [baseline]
    return found


def _as_is(name: str, first: Candidate, config_dirs: Sequence[Path]) -> Candidate:
    baseline = _experiment(name, (), config_dirs)
    foundation, theirs = first.config.values.get("foundation"), baseline.config.values.get("foundation")
    if not (foundation and theirs and theirs["_target_"] == foundation["_target_"]):
        return baseline
    kind = resolve_target(foundation["_target_"])
    beginning = kind.beginning if issubclass(kind, Foundation) else frozenset()
    left_out = beginning & _changes(first.config, config_dirs).keys()
    carried = {key: value for key, value in foundation.items() if key not in left_out}
    changed = _changes(baseline.config, config_dirs)
    config = compose(name, [f"foundation={json.dumps(carried | changed)}"], config_dirs)
    shown = {key: carried[key] for key in _changes(first.config, config_dirs) if key in carried} | changed
    label = first.config.choices.get("foundation", str(foundation["_target_"]))
    return Candidate(config, None, _with_changes(label, shown))


def _runs_in(folder: Path) -> list[Path]:
    """Return a run itself, or all finished ones in a folder."""
    if find_run(folder) is not None:
        return [folder]
    finished = finished_runs(folder)
    if not finished:
        raise MissingError(f"The baseline {folder} is a folder without a finished run. Train one first.")
    return finished


def _describe_foundation(config: Config, config_dirs: Sequence[Path]) -> str:
    node = config.values.get("foundation")
    if not node:
        return ""
    name = config.choices.get("foundation")
    return _with_changes(name, _changes(config, config_dirs)) if name else str(node["_target_"])


def _changes(config: Config, config_dirs: Sequence[Path]) -> dict[str, Any]:
    """Return what a config sets in its foundation unlike the foundation's own file."""
    name = config.choices.get("foundation")
    if name is None:
        return {}
    plain = compose_group("foundation", name, (), config_dirs).values["foundation"]
    return {key: value for key, value in config.values["foundation"].items() if plain.get(key) != value}


def _with_changes(name: str, changes: Mapping[str, Any]) -> str:
    return ", ".join([name, *(f"{key}={value}" for key, value in without_folders(dict(changes)).items())])


def check_fits(candidate: Candidate, config: Config, config_dirs: Sequence[Path]) -> None:
    """Refuse a method that the benchmark of a config cannot measure, and say which benchmarks can."""
    benchmark, method = _benchmark(config), candidate.method_class
    if _suits(benchmark, method):
        return
    fitting = []
    for name in list_group("benchmark", find_config_dirs(config_dirs)):
        with contextlib.suppress(StylekitError, TargetError):  # a broken benchmark fits nothing
            if _suits(_benchmark(compose_group("benchmark", name, (), config_dirs)), method):
                fitting.append(name)
    kind = benchmark.fits.__name__
    if benchmark.needs:
        kind += f" that needs {' and '.join(sorted(benchmark.needs))}"
    raise ConfigError(
        f"{config.choices.get('benchmark', 'The benchmark')} measures a {kind}, and "
        f"{candidate.config.name} is none ({method.__name__}). "
        f"Benchmarks that fit it: {_names(fitting) or 'none'}."
    )


def _benchmark(config: Config) -> type[Benchmark[Any]]:
    benchmark = resolve_target(config.values["benchmark"]["_target_"])
    if not issubclass(benchmark, Benchmark):
        raise ConfigError(f"benchmark must be a Benchmark, not {benchmark.__name__}.")
    return benchmark


def _suits(benchmark: type[Benchmark[Any]], method: type[Any]) -> bool:
    if not issubclass(method, benchmark.fits):
        return False
    return benchmark.needs is None or getattr(method, "needs", None) == benchmark.needs


def _names(items: Sequence[Any]) -> str:
    return ", ".join(map(str, items))
