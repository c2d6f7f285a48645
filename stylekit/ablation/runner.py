"""Run an ablation: expand it, launch what is not done, summarise what is."""

from __future__ import annotations

import json
import logging
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stylekit.ablation.plan import Ablation
from stylekit.ablation.points import Point
from stylekit.ablation.search import Study, Trial
from stylekit.ablation.summary import AblationResult, as_csv, as_markdown, summarise
from stylekit.ablation.task import Done, read_done
from stylekit.config import Config, build, check, compose, compose_group, digest
from stylekit.errors import ConfigError, StylekitError
from stylekit.launching import Launcher, Task
from stylekit.launching.launcher import describe
from stylekit.planning import check_trainable, choose_folder
from stylekit.result import read_result
from stylekit.run import environment, now, write_atomically
from stylekit.tracking import Tracker

__all__ = ["ablate"]

log = logging.getLogger("stylekit")


def ablate(
    ablation: str,
    *overrides: str,
    config_dirs: Sequence[Path] = (),
    dry_run: bool = False,
) -> AblationResult | None:
    """Run every point of an ablation with every seed, and compare them.

    What has a result is not run again, so an interrupted ablation goes on where it was. A task that fails
    leaves the others alone; at the end it is an error.

    Args:
        ablation: Its name.
        overrides: `ablation.key=value` and `launcher=NAME` for the ablation; all others for every point.
        config_dirs: Further config folders.
        dry_run: Check every point and list the tasks, but run nothing.
    """
    own = [text for text in overrides if text.partition("=")[0].partition(".")[0] in ("ablation", "launcher")]
    if not any(text.startswith("launcher=") for text in own):
        own.insert(0, "launcher=in_order")
    composed = compose_group("ablation", ablation, own, config_dirs)
    check(composed, needs=("ablation", "launcher"))
    plan = build(composed.values["ablation"])
    if not isinstance(plan, Ablation):
        raise ConfigError(f"ablation must be an Ablation, not a {type(plan).__name__}.")
    shared = [*plan.overrides, *(text for text in overrides if text not in own)]
    running = _Running(ablation, plan, shared, overrides, config_dirs)
    running.check()
    if dry_run:
        running.list_tasks()
        return None
    launcher = build(composed.values["launcher"])
    if not isinstance(launcher, Launcher):
        raise ConfigError(f"launcher must be a Launcher, not a {type(launcher).__name__}.")
    return running.execute(launcher, composed)


@dataclass(frozen=True)
class _Cell:
    """A point with a seed: one run."""

    point: Point
    seed: int
    config: Config
    file: Path
    """The resolved config, which `stylekit train` takes as well."""

    @property
    def name(self) -> str:
        return f"{self.point.name} seed {self.seed}"

    @property
    def done_file(self) -> Path:
        return self.file.with_suffix(".done.json")

    def done(self) -> Done | None:
        return read_done(self.done_file, digest(self.config))


class _Running:
    """One call of `ablate`."""

    def __init__(
        self,
        name: str,
        plan: Ablation,
        shared: Sequence[str],
        overrides: Sequence[str],
        config_dirs: Sequence[Path],
    ) -> None:
        self.name, self.plan, self.shared, self.config_dirs = name, plan, shared, config_dirs
        self.command = shlex.join(["stylekit", "ablate", name, *overrides])
        base = self._compose(Point((), ()), plan.seeds[0])
        self.folder = Path(base.values["runs"]) / "ablations" / name.replace("/", "-")
        self.base = base
        self.cells: dict[tuple[Point, int], _Cell] = {}
        self.trials: dict[Point, Trial] = {}
        self.failed: dict[str, str] = {}
        self.study: Study | None = None

    def check(self) -> None:
        """Refuse the ablation if any point is wrong, naming all that are."""
        mistakes = []
        for point in self.plan.points:
            try:
                config = self._cell(point, self.plan.seeds[0]).config
                check(config, needs=("method", "benchmark"))
                if config.values["stages"]:
                    check_trainable(config)
            except StylekitError as error:
                mistakes.append(f"{point.name}: {error}")
        if mistakes:
            raise ConfigError("\n".join([f"Points of {self.name} cannot be run:", *mistakes]))

    def list_tasks(self) -> None:
        """Print what would be run."""
        if self.plan.search is not None:
            print(f"a search of {self.plan.search.num_trials} trials, {len(self.plan.seeds)} seeds each")
            return
        for point in self.plan.points:
            for seed in self.plan.seeds:
                cell = self._cell(point, seed)
                print(f"{'done' if cell.done() else 'to run':<7} {cell.name}")

    def execute(self, launcher: Launcher, composed: Config) -> AblationResult:
        """Run what is not done, and write the tables."""
        tracker: Tracker = build(self.base.values["tracking"])
        state_file = self.folder / "ablation.json"
        kept = json.loads(state_file.read_text()) if state_file.is_file() else {}
        parent = tracker.open(
            self.folder, f"ablation {self.name}", kept.get("mlflow_run_id"), self._tags(), anew=False
        )
        write_atomically(state_file, json.dumps({"mlflow_run_id": parent or kept.get("mlflow_run_id")}))
        write_atomically(self.folder / "ablation.yaml", composed.to_yaml(resolved=True))
        status: Any = "FAILED"
        try:
            tracker.log_hyperparams({"ablation": composed.values["ablation"], "overrides": list(self.shared)})
            self._run(launcher, parent)
            result = self._summarise()
            for file in ("result.json", "table.md", "table.csv"):
                tracker.log_artifact(self.folder / file)
            status = "FAILED" if self.failed else "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            tracker.close(status)
        print(as_markdown(result))
        print(f"Wrote {self.folder}/result.json, table.md and table.csv")
        if self.failed:
            listed = "\n".join(f"  {name}: {text}" for name, text in self.failed.items())
            raise StylekitError(
                f"{len(self.failed)} of the tasks failed; the others are in the table. The same command runs "
                f"them again.\n{listed}"
            )
        return result

    def _run(self, launcher: Launcher, parent: str | None) -> None:
        tasks: dict[Task, _Cell] = {}
        if self.plan.search is not None:
            self.study = Study(self.plan.search, self.folder / "study.db", self.name)
        source = self._searched(self.study) if self.study else self._listed()
        total = None if self.study else sum(1 for _ in self._listed())

        def waiting() -> Iterator[Task]:
            for cell in source:
                task = self._task(cell, parent)
                tasks[task] = cell
                bar.set_postfix_str(cell.name, refresh=True)
                yield task

        with tqdm(total=total, desc=f"ablation {self.name}", unit="run", dynamic_ncols=True) as bar:
            for task, code in launcher.launch(waiting(), lambda task: self._is_hopeless(tasks[task])):
                self._note(tasks[task], task, code)
                bar.update()

    def _listed(self) -> Iterator[_Cell]:
        for seed in self.plan.seeds:  # the first seed of every point comes first: a full table early
            for point in self.plan.points:
                cell = self._cell(point, seed)
                if cell.done() is None:
                    yield cell

    def _searched(self, study: Study) -> Iterator[_Cell]:
        search = self.plan.search
        assert search is not None
        begun = study.num_ended
        while begun < search.num_trials:
            trial = study.ask()
            begun += 1
            self.trials[trial.point] = trial
            for seed in self.plan.seeds:
                cell = self._cell(trial.point, seed)
                if cell.done() is None and not trial.is_pruned:
                    yield cell
            self._tell(trial)

    def _note(self, cell: _Cell, task: Task, code: int) -> None:
        if cell.done() is None and not (cell.point in self.trials and self.trials[cell.point].is_pruned):
            self.failed[cell.name] = f"{describe(code)}; see {task.log}"
            tqdm.write(f"failed: {cell.name} ({describe(code)}; see {task.log})", file=sys.stderr)
        if cell.point in self.trials:
            self._tell(self.trials[cell.point])

    def _tell(self, trial: Trial) -> None:
        """Tell the study of a trial once all its seeds have ended."""
        if trial.point not in self.trials:
            return
        cells = [self._cell(trial.point, seed) for seed in self.plan.seeds]
        dones = [cell.done() for cell in cells]
        if trial.is_pruned or any(cell.name in self.failed for cell in cells):
            trial.finish(None)
        elif all(dones):
            search = self.plan.search
            assert search is not None
            values = [_metric(done, search.metric) for done in dones if done]
            trial.finish(sum(values) / len(values))
        else:
            return
        del self.trials[trial.point]

    def _is_hopeless(self, cell: _Cell) -> bool:
        search = self.plan.search
        if search is None or search.prune_on is None or cell.seed != self.plan.seeds[0]:
            return False
        trial = self.trials.get(cell.point)
        file = choose_folder(cell.config, new_run=False) / "metrics.jsonl"
        return trial is not None and trial.should_stop(_logged(file, search.prune_on))

    def _cell(self, point: Point, seed: int) -> _Cell:
        if (point, seed) not in self.cells:
            file = self.folder / "points" / f"{_file_name(point)}-s{seed}.yaml"
            self.cells[point, seed] = _Cell(point, seed, self._compose(point, seed), file)
        return self.cells[point, seed]

    def _compose(self, point: Point, seed: int) -> Config:
        texts = [*self.shared, *point.overrides, f"seed={seed}"]
        return compose(self.plan.experiment, texts, self.config_dirs)

    def _task(self, cell: _Cell, parent: str | None) -> Task:
        write_atomically(cell.file, cell.config.to_yaml())
        command = [sys.executable, "-m", "stylekit.ablation.task", str(cell.file)]
        command += ["--done", str(cell.done_file)]
        command += ["--parent", parent] if parent else []
        command += [word for folder in self.config_dirs for word in ("--config-dir", str(folder))]
        return Task(cell.name, tuple(command), cell.file.with_suffix(".log"), Path.cwd())

    def _tags(self) -> dict[str, str]:
        return {"stylekit.ablation": self.name, "stylekit.experiment": self.base.name}

    def _summarise(self) -> AblationResult:
        found: list[tuple[Point, Mapping[int, tuple[str | None, Path]]]] = []
        for point in self.study.points if self.study else self.plan.points:
            dones = {seed: self._cell(point, seed).done() for seed in self.plan.seeds}
            results = {seed: (done.run, Path(done.result)) for seed, done in dones.items() if done}
            if results:
                found.append((point, results))
        if not found:
            listed = "\n".join(f"  {name}: {text}" for name, text in self.failed.items())
            raise StylekitError(f"Every task of {self.name} failed.\n{listed}")
        rows = summarise(found)
        for name in self.plan.metrics:
            if name not in rows[0].metrics:
                known = ", ".join(rows[0].metrics)
                raise ConfigError(
                    f"ablation.metrics: the benchmark measures no {name!r}; it measures {known}."
                )
        result = AblationResult(
            ablation=self.name,
            experiment=self.base.name,
            benchmark=read_result(Path(rows[0].results[0])).benchmark,
            metrics=list(self.plan.metrics or rows[0].metrics),
            rows=rows,
            failed=self.failed,
            command=self.command,
            stylekit=environment()["stylekit"],
            git=environment()["git"],
            date=now(),
        )
        write_atomically(self.folder / "result.json", result.model_dump_json(indent=2) + "\n")
        write_atomically(self.folder / "table.md", as_markdown(result))
        write_atomically(self.folder / "table.csv", as_csv(result))
        return result


def _metric(done: Done, name: str) -> float:
    metrics = read_result(Path(done.result)).metrics
    if name not in metrics:
        raise ConfigError(
            f"search.metric: the benchmark measures no {name!r}; it measures {', '.join(metrics)}."
        )
    return metrics[name].mean


def _logged(metrics_file: Path, name: str) -> dict[int, float]:
    """Read what a run has logged of a metric so far, by step; its last line may be half written."""
    if not metrics_file.is_file():
        return {}
    found = {}
    for line in metrics_file.read_bytes().split(b"\n")[:-1]:
        record = json.loads(line)
        if record.get("step") is not None and isinstance(record["metrics"].get(name), float):
            found[int(record["step"])] = record["metrics"][name]
    return found


def _file_name(point: Point) -> str:
    return "".join(letter if letter.isalnum() or letter in "=,.-_" else "_" for letter in point.name)
