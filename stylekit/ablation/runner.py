"""Run an ablation: expand it, launch what is not done, summarise what is."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from filelock import FileLock, Timeout
from tqdm import tqdm

from stylekit.ablation.cells import Cell, Cells
from stylekit.ablation.done import Done
from stylekit.ablation.hunt import Hunt
from stylekit.ablation.plan import Ablation
from stylekit.ablation.points import Point
from stylekit.ablation.search import Study
from stylekit.ablation.summary import AblationResult, as_csv, as_markdown, summarise
from stylekit.config import Config, build, check, compose_group, digest
from stylekit.config.target import resolve_target
from stylekit.errors import ConfigError, StylekitError
from stylekit.launching import Launcher, Task
from stylekit.launching.launcher import describe
from stylekit.result import read_result
from stylekit.run import environment, now, write_atomically
from stylekit.tracking import Tracker

__all__ = ["ablate"]


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
    cells = Cells(ablation, plan, shared, config_dirs)
    running = _Running(ablation, cells, shlex.join(["stylekit", "ablate", ablation, *overrides]))
    cells.check(plan.points if plan.search is None else plan.search.corners())
    target = composed.values["launcher"].get("_target_")
    if target is None or not issubclass(resolve_target(target), Launcher):
        raise ConfigError(f"launcher must be a Launcher, not {target or composed.values['launcher']}.")
    if dry_run:
        running.list_tasks()
        return None
    launcher: Launcher = build(composed.values["launcher"])
    cells.folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(cells.folder / ".lock", timeout=0):
            return running.execute(launcher, composed)
    except Timeout as error:
        raise ConfigError(
            f"Another process is running the ablation in {cells.folder}; wait for it."
        ) from error


class _Running:
    """One call of `ablate`."""

    def __init__(self, name: str, cells: Cells, command: str) -> None:
        self.name, self.cells, self.plan, self.command = name, cells, cells.plan, command
        self.folder = cells.folder
        self.failed: dict[str, str] = {}
        self.hunt: Hunt | None = None

    def list_tasks(self) -> None:
        """Print what would be run."""
        if self.plan.search is not None:
            print(f"a search of {self.plan.search.num_trials} trials, {len(self.plan.seeds)} seeds each")
            return
        for point in self.plan.points:
            for cell in self.cells.of(point):
                print(f"{'done' if cell.done() else 'to run':<7} {cell.name}")

    def execute(self, launcher: Launcher, composed: Config) -> AblationResult:
        """Run what is not done, and write the tables; interrupted, of what there is."""
        tracker: Tracker = build(self.cells.base.values["tracking"])
        state_file = self.folder / "ablation.json"
        kept = json.loads(state_file.read_text()) if state_file.is_file() else {}
        tags = {"stylekit.ablation": self.name, "stylekit.experiment": self.cells.base.name}
        parent = tracker.open(self.folder, f"ablation {self.name}", kept.get("mlflow_run_id"), tags)
        parent = parent or kept.get("mlflow_run_id")
        state = {"mlflow_run_id": parent, "tracking": self.cells.base.values["tracking"]}
        write_atomically(state_file, json.dumps(state))
        write_atomically(self.folder / "ablation.yaml", composed.to_yaml(resolved=True))
        status: Literal["FINISHED", "FAILED", "KILLED"] = "FAILED"
        try:
            shared = list(self.cells.shared)
            tracker.log_hyperparams({"ablation": composed.values["ablation"], "overrides": shared})
            self._run(launcher, parent)
            status = "FAILED" if self.failed else "FINISHED"
        except KeyboardInterrupt:
            status = "KILLED"
            raise
        finally:
            try:
                result = self._summarise()
                if result is not None:
                    for file in ("result.json", "table.md", "table.csv"):
                        tracker.log_artifact(self.folder / file)
            finally:
                tracker.close(status)
        listed = "\n".join(f"  {name}: {text}" for name, text in self.failed.items())
        if result is None:
            raise StylekitError(f"No task of {self.name} has a result.\n{listed}")
        print(as_markdown(result))
        print(f"Wrote {self.folder}/result.json, table.md and table.csv")
        if self.failed:
            again = (
                "The same command runs them again."
                if self.hunt is None
                else "The same command draws further trials instead."
            )
            raise StylekitError(
                f"{len(self.failed)} of the tasks failed; the others are in the table. {again}\n{listed}"
            )
        measured = {name for row in result.rows for name in row.metrics}
        if unknown := [name for name in self.plan.metrics if name not in measured]:
            raise ConfigError(
                f"ablation.metrics: the benchmark measures no {unknown[0]!r}; it measures "
                f"{', '.join(sorted(measured))}. Everything was run; the same command writes the table."
            )
        return result

    def _run(self, launcher: Launcher, parent: str | None) -> None:
        tasks: dict[Task, Cell] = {}
        search = self.plan.search
        if search is not None:
            study = Study(search, self.folder / "study.db", [digest(self.cells.base), self.plan.seeds])
            self.hunt = Hunt(search, study, self.cells)
        source = self.hunt.waiting() if self.hunt else self._waiting()
        total = None if self.hunt else sum(1 for _ in self._waiting())

        def waiting() -> Iterator[Task]:
            for cell in source:
                task = self._task(cell, parent)
                tasks[task] = cell
                bar.set_postfix_str(cell.name, refresh=True)
                yield task

        def should_stop(task: Task) -> bool:
            return self.hunt is not None and self.hunt.should_stop(tasks[task])

        with tqdm(total=total, desc=f"ablation {self.name}", unit="run", dynamic_ncols=True) as bar:
            for task, code in launcher.launch(waiting(), should_stop):
                self._note(tasks[task], task, code)
                bar.update()

    def _waiting(self) -> Iterator[Cell]:
        for number in range(len(self.plan.seeds)):  # a seed of every point first: all can be compared early
            for point in self.plan.points:
                cell = self.cells.of(point)[number]
                if cell.done() is None:
                    yield cell

    def _note(self, cell: Cell, task: Task, code: int) -> None:
        is_stopped = self.hunt is not None and self.hunt.is_given_up(cell)  # pruned, or another seed failed
        if cell.done() is None and not is_stopped:
            self.failed[cell.name] = f"{describe(code)}; see {task.log}"
            tqdm.write(f"failed: {cell.name} ({describe(code)}; see {task.log})", file=sys.stderr)
        if self.hunt is not None:
            self.hunt.note(cell)

    def _task(self, cell: Cell, parent: str | None) -> Task:
        write_atomically(cell.file, cell.config.to_yaml())
        command = [sys.executable, "-m", "stylekit.ablation.task", str(cell.file)]
        command += ["--done", str(cell.done_file)]
        command += ["--parent", parent] if parent else []
        command += [word for folder in self.cells.config_dirs for word in ("--config-dir", str(folder))]
        return Task(cell.name, tuple(command), cell.file.with_suffix(".log"), Path.cwd())

    def _summarise(self) -> AblationResult | None:
        points = self.plan.points if self.hunt is None else self.hunt.study.points
        found: list[tuple[Point, dict[int, Done]]] = []
        for point in points:
            dones = {cell.seed: done for cell in self.cells.of(point) if (done := cell.done())}
            if dones:
                found.append((point, dones))
        if not found:
            return None
        rows = summarise(found, points[0], self.folder)
        measured = list(dict.fromkeys(name for row in rows for name in row.metrics))
        one = read_result(self.folder / rows[0].results[0])
        result = AblationResult(
            ablation=self.name,
            experiment=self.cells.base.name,
            benchmark=one.benchmark,
            unit=one.unit,
            metrics=[name for name in self.plan.metrics if name in measured] or measured,
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
