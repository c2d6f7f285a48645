"""Look for the best values of some keys with Optuna."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, final

from stylekit.ablation.points import Point, label, override
from stylekit.bounds import Count, Positive, bounded
from stylekit.errors import ConfigError, MissingError

__all__ = ["Range", "Search", "Study", "Trial"]


@final
class Range:
    """Numbers between two ends.

    Args:
        low: The least.
        high: The greatest.
        log: Draw evenly on the logarithm.
        whole: Whole numbers only.
    """

    def __init__(self, low: float, high: float, log: bool = False, whole: bool = False) -> None:
        if not low < high or (log and low <= 0):
            raise ConfigError(
                f"A range goes from a lower to a higher number, above 0 if log: {low} to {high}."
            )
        self.low, self.high, self.log, self.whole = low, high, log, whole


@final
class Search:
    """A study that goes on where it was.

    Args:
        metric: Of the benchmark; its mean over the seeds is the objective.
        space: For each key a Range, or a list of values.
        num_trials: How many trials finish or are pruned in all.
        direction: Which way is better.
        sampler: "tpe" or "random".
        prune_on: A metric logged during training, such as val/recall_at_1; a trial that stays on the worse
            side of the median of the earlier ones is stopped. None runs all to their end.
        prune_direction: Which way is better for `prune_on`.
        prune_after_trials: How many trials end before any is pruned.
        prune_after_step: Steps of training before any is pruned.
        seed: Of the sampler.
    """

    @bounded
    def __init__(
        self,
        metric: str,
        space: Mapping[str, Any],
        num_trials: Positive,
        direction: Literal["maximize", "minimize"] = "maximize",
        sampler: Literal["tpe", "random"] = "tpe",
        prune_on: str | None = None,
        prune_direction: Literal["maximize", "minimize"] = "maximize",
        prune_after_trials: Count = 4,
        prune_after_step: Count = 0,
        seed: int = 0,
    ) -> None:
        if not space:
            raise ConfigError("search.space is empty: name the keys to search over.")
        for key, values in space.items():
            if not isinstance(values, Range) and (isinstance(values, str) or not list(values)):
                raise ConfigError(f"search.space.{key} must be a Range or a list of values, not {values!r}.")
        self.metric, self.space, self.num_trials, self.direction = metric, dict(space), num_trials, direction
        self.sampler, self.prune_on, self.seed = sampler, prune_on, seed
        self.prune_direction = prune_direction
        self.prune_after_trials, self.prune_after_step = prune_after_trials, prune_after_step

    def corners(self) -> list[Point]:
        """Return points at the ends of every range and at every listed value, to be checked beforehand."""
        corners = [
            Point(((key, label(value)),), (override(key, value),))
            for key, values in self.space.items()
            for value in (
                [int(end) if values.whole else end for end in (values.low, values.high)]
                if isinstance(values, Range)
                else values
            )
        ]
        return list(dict.fromkeys(corners))

    def digest(self, of: Any) -> str:
        """Hash what makes values of trials comparable."""
        space = {
            key: vars(values) if isinstance(values, Range) else list(values)
            for key, values in self.space.items()
        }
        parts = [of, space, self.metric, self.direction]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


class Trial:
    """One trial: a point that Optuna chose, and what becomes of it."""

    def __init__(self, study: Study, trial: Any, point: Point) -> None:
        self._study, self._trial, self.point = study, trial, point
        # Optuna compares values on the way in the direction of the objective.
        search = study.search
        self._sign = 1.0 if search.prune_direction == search.direction else -1.0
        self._reported = -1

    def should_stop(self, steps: Mapping[int, float]) -> bool:
        """Report the values measured so far, by step; say whether to give the trial up."""
        for step, value in sorted(steps.items()):
            if step > self._reported:
                self._trial.report(self._sign * value, step)
                self._reported = step
        return bool(self._trial.should_prune())

    def finish(self, value: float | None, is_pruned: bool = False) -> None:
        """Tell the study how it ended: with a value, pruned, or failed."""
        self._study.tell(self._trial, value, is_pruned)


class Study:
    """An Optuna study in a file; trials that were cut off are begun again.

    A study goes on only with the same experiment, seeds, space and metric (`of`, and the settings of the
    search); with others a new one begins beside it.
    """

    def __init__(self, search: Search, path: Path, of: Any) -> None:
        try:
            import optuna
        except ImportError as error:
            raise MissingError("A search needs Optuna: pip install 'stylekit[search]'.") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        logging.getLogger("alembic").setLevel(logging.WARNING)
        self.search, self._optuna = search, optuna
        pruner = (
            optuna.pruners.MedianPruner(search.prune_after_trials, search.prune_after_step)
            if search.prune_on
            else optuna.pruners.NopPruner()
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        storage = f"sqlite:///{path}"
        name = search.digest(of)
        known = [one.n_trials for one in optuna.get_all_study_summaries(storage) if one.study_name == name]
        # Trials asked for in a later session are to be others than those of the first.
        seed = search.seed + sum(known)
        self._study = optuna.create_study(
            storage=storage,
            study_name=name,
            direction=search.direction,
            sampler=optuna.samplers.TPESampler(seed=seed, constant_liar=True)
            if search.sampler == "tpe"
            else optuna.samplers.RandomSampler(seed=seed),
            pruner=pruner,
            load_if_exists=True,
        )
        self._resume()

    @property
    def num_ended(self) -> int:
        """Trials that finished or were pruned."""
        states = self._optuna.trial.TrialState
        return len(self._study.get_trials(states=(states.COMPLETE, states.PRUNED), deepcopy=False))

    @property
    def points(self) -> list[Point]:
        """The points of the trials that finished, the best first."""
        complete = self._study.get_trials(states=(self._optuna.trial.TrialState.COMPLETE,), deepcopy=False)
        is_reversed = self.search.direction == "maximize"
        best_first = sorted(complete, key=lambda one: one.value or 0.0, reverse=is_reversed)
        return list(dict.fromkeys(self._point(one.params) for one in best_first))

    def ask(self) -> Trial:
        """Choose the next point."""
        trial = self._study.ask()
        for key, values in self.search.space.items():
            if not isinstance(values, Range):
                trial.suggest_categorical(key, list(values))
            elif values.whole:
                trial.suggest_int(key, int(values.low), int(values.high), log=values.log)
            else:
                trial.suggest_float(key, values.low, values.high, log=values.log)
        return Trial(self, trial, self._point(trial.params))

    def tell(self, trial: Any, value: float | None, is_pruned: bool) -> None:
        """Note how a trial ended."""
        states = self._optuna.trial.TrialState
        if value is not None:
            self._study.tell(trial, value)
        else:
            self._study.tell(trial, state=states.PRUNED if is_pruned else states.FAIL)

    def _resume(self) -> None:
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(states=(states.RUNNING,), deepcopy=False):
            self._study.tell(trial.number, state=states.FAIL)
            self._study.enqueue_trial(trial.params)  # its run goes on where it was cut off

    def _point(self, params: Mapping[str, Any]) -> Point:
        labels = {key: f"{one:.6g}" if isinstance(one, float) else label(one) for key, one in params.items()}
        return Point(tuple(labels.items()), tuple(override(key, value) for key, value in params.items()))
