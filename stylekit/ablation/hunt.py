"""A search as it runs: trials asked for, runs launched for them, values told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stylekit.ablation.cells import Cell, Cells
from stylekit.ablation.points import Point
from stylekit.ablation.search import Search, Study, Trial
from stylekit.errors import ConfigError
from stylekit.planning import choose_folder
from stylekit.result import read_result
from stylekit.tracking.journal import Journal

__all__ = ["Hunt"]


class Hunt:
    """Drives a study. A point that is drawn again while it runs, or later, shares the runs of the first."""

    def __init__(self, search: Search, study: Study, cells: Cells) -> None:
        self.search, self.study, self.cells = search, study, cells
        self._open: dict[Point, list[Trial]] = {}
        self._pruned: set[Point] = set()
        self._failed: set[Point] = set()

    def waiting(self) -> Iterator[Cell]:
        """Yield the runs to launch; the next trial is asked for when there is room for it."""
        for _ in range(self.study.num_ended, self.search.num_trials):
            trial = self.study.ask()
            is_first = trial.point not in self._open
            self._open.setdefault(trial.point, []).append(trial)
            if is_first:
                for cell in self.cells.of(trial.point):
                    if cell.done() is None and not self.is_given_up(cell):
                        yield cell
            self._settle(trial.point)

    def is_given_up(self, cell: Cell) -> bool:
        """Whether the other seeds of a point that was pruned or failed are not worth running."""
        return cell.point in self._pruned or cell.point in self._failed

    def should_stop(self, cell: Cell) -> bool:
        """Report what the first seed of a point has logged; say whether to stop the run."""
        if self.is_given_up(cell):
            return True
        if self.search.prune_on is None or cell.seed != self.cells.plan.seeds[0]:
            return False
        folder = choose_folder(cell.config, new_run=False)
        if self._open[cell.point][0].should_stop(_logged(folder, self.search.prune_on)):
            self._pruned.add(cell.point)
            return True
        return False

    def note(self, cell: Cell) -> None:
        """Take notice of a run that has ended."""
        if cell.done() is None and cell.point not in self._pruned:
            self._failed.add(cell.point)
        self._settle(cell.point)

    def _settle(self, point: Point) -> None:
        """Tell the study how a point did, once that is known."""
        dones = [cell.done() for cell in self.cells.of(point)]
        if point in self._pruned or point in self._failed:
            value = None
        elif all(dones):
            values = [self._value(Path(done.result)) for done in dones if done]
            value = sum(values) / len(values)
        else:
            return
        for trial in self._open.pop(point, ()):
            trial.finish(value, is_pruned=point in self._pruned)

    def _value(self, result: Path) -> float:
        metrics, name = read_result(result).metrics, self.search.metric
        if name not in metrics:
            raise ConfigError(
                f"search.metric: the benchmark measures no {name!r}; it measures {', '.join(metrics)}."
            )
        if metrics[name].better == "neither":
            raise ConfigError(f"search.metric: {name} says how things are, not how well: choose another.")
        wanted = "maximize" if metrics[name].better == "higher" else "minimize"
        if self.search.direction != wanted:
            raise ConfigError(
                f"search.direction={self.search.direction}, but {metrics[name].better} is better for {name}: "
                f"set ablation.search.direction={wanted}."
            )
        return metrics[name].mean


def _logged(folder: Path, name: str) -> dict[int, float]:
    """Read what a run has logged of a metric so far, by step."""
    found = {}
    for record in Journal(folder / "metrics.jsonl"):
        value = record.get("metrics", {}).get(name)
        if record.get("step") is not None and isinstance(value, float):
            found[int(record["step"])] = value
    return found
