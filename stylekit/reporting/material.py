"""What a report is made of: runs, results and ablations, found by their files."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from stylekit.ablation import AblationResult, read_ablation
from stylekit.errors import DataError
from stylekit.result import Result, read_result
from stylekit.run import Run, RunState, flatten
from stylekit.tracking.journal import Journal

__all__ = ["Material", "Measured", "ShownRun", "gather"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ShownRun:
    """One run, under the name that the page gives it."""

    name: str
    run: Run
    state: RunState
    config: dict[str, Any]
    """Flat, without what names the run."""

    def curves(self) -> dict[str, list[tuple[int, float]]]:
        """Read what was logged, by metric: (step, value)."""
        found: dict[str, list[tuple[int, float]]] = {}
        for record in Journal(self.run.path / "metrics.jsonl"):
            if record.get("step") is not None:
                for name, value in record.get("metrics", {}).items():
                    if isinstance(value, float | int):
                        found.setdefault(name, []).append((int(record["step"]), float(value)))
        return found

    def pictures(self) -> dict[str, tuple[int, Path]]:
        """Find the last picture under each name that was logged: (step, file)."""
        found: dict[str, tuple[int, Path]] = {}
        for folder in sorted((self.run.path / "samples").glob("step=*")):
            for file in sorted(folder.glob("*.png")):
                found[file.stem] = (int(folder.name.partition("=")[2]), file)
        return found


@dataclass(frozen=True)
class Measured:
    """A result, and the file that it was read from."""

    name: str
    result: Result
    path: Path


@dataclass
class Material:
    """All that the targets hold, without repeats."""

    runs: list[ShownRun] = field(default_factory=list)
    results: list[Measured] = field(default_factory=list)
    ablations: list[AblationResult] = field(default_factory=list)
    ablation_folders: list[Path] = field(default_factory=list)
    """Of those that were run here."""


def gather(targets: Sequence[str | Path]) -> Material:
    """Find what the targets name: runs, folders of runs, ablations, result files.

    Of an ablation the page shows every point, and of its runs those of the first seed.
    """
    material = Material()
    for target in targets:
        _take(Path(target), material)
    if not (material.runs or material.results or material.ablations):
        raise DataError(
            "Nothing to report: name runs (folders that `stylekit train` made), ablations "
            "(runs/ablations/NAME) or result files."
        )
    return material


def _take(path: Path, material: Material) -> None:
    if (path / "run.json").is_file():
        _take_run(Run(path.resolve()), "", material)
    elif (path / "ablation.json").is_file():
        _take_ablation(path / "result.json", material)
    elif path.is_dir():
        folders = [one for one in sorted(path.iterdir()) if not one.is_symlink()]
        found = [one for one in folders if (one / "run.json").is_file()]
        if not found:
            raise DataError(f"{path} holds no runs, and is neither a run nor an ablation.")
        for one in found:
            _take_run(Run(one.resolve()), "", material)
        for file in sorted((path / "eval").glob("*.json")):
            _take_result(file, "", material)
    elif path.suffix == ".json" and path.is_file():
        _take_file(path, material)
    else:
        raise DataError(f"There is no run, ablation or result {path}.")


def _take_file(path: Path, material: Material) -> None:
    try:
        is_ablation = "ablation" in json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    if is_ablation:
        _take_ablation(path, material)
    else:
        _take_result(path, "", material, is_named=True)


def _take_ablation(path: Path, material: Material) -> None:
    try:
        found = read_ablation(path)
    except ValidationError as error:
        raise DataError(f"{path} is not the result of an ablation: {error}") from error
    material.ablations.append(found)
    if (path.parent / "ablation.json").is_file():
        material.ablation_folders.append(path.parent)
    for row in found.rows:
        label = ", ".join(row.labels.values()) or found.experiment
        folder = row.runs[0]
        if folder is not None and (path.parent / folder / "run.json").is_file():
            _take_run(Run((path.parent / folder).resolve()), label, material, with_results=False)
        if (path.parent / row.results[0]).is_file():
            _take_result(path.parent / row.results[0], label, material)


def _take_run(run: Run, name: str, material: Material, with_results: bool = True) -> None:
    if any(shown.run.path == run.path for shown in material.runs):
        return
    state = run.read()
    assert state is not None
    config = flatten(yaml.safe_load(run.config_file.read_text()))
    kept = {key: value for key, value in config.items() if key.partition(".")[0] not in ("name", "runs")}
    shown = ShownRun(name or f"{state.experiment} s{state.seed}", run, state, kept)
    material.runs.append(_unlike(shown, material))
    for file in sorted((run.path / "eval").glob("*.json")) if with_results else ():
        _take_result(file, material.runs[-1].name, material)


def _take_result(path: Path, name: str, material: Material, is_named: bool = False) -> None:
    path = path.resolve()
    if all(one.path != path for one in material.results):
        try:
            result = read_result(path)
        except DataError as error:
            if is_named:
                raise
            log.warning("Left out: %s", error)
            return
        seeds = f" ({len(result.seeds)} seeds)" if len(result.seeds) > 1 else ""
        name = name or f"{result.label}{seeds}"
        taken = [one.name for one in material.results if one.result.benchmark == result.benchmark]
        if name in taken:
            name = f"{name} {result.config_digests[0]}"
        material.results.append(Measured(name, result, path))


def _unlike(shown: ShownRun, material: Material) -> ShownRun:
    """Give the run the end of its folder's name where another one has its name already."""
    if all(other.name != shown.name for other in material.runs):
        return shown
    return ShownRun(f"{shown.name} {shown.run.path.name[-14:]}", shown.run, shown.state, shown.config)
