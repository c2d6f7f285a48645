"""What an ablation varies, as its YAML says it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, final

from stylekit.ablation.points import Point, expand
from stylekit.ablation.search import Search
from stylekit.errors import ConfigError

__all__ = ["Ablation"]


@final
class Ablation:
    """Axes over an experiment, or a search.

    Args:
        experiment: Its name, or the path of a YAML.
        axes: For each axis either a list of values of the key that is its name, or a mapping from labels to
            lists of overrides. All combinations are run.
        exclude: Combinations to leave out: for each rule a label, or a list of labels, on some axes.
        overrides: For every point.
        seeds: Of training; every point is run with each.
        metrics: What tables show; everything that the benchmark measures by default.
        search: Look for the best values instead of running all of them.
    """

    def __init__(
        self,
        experiment: str,
        axes: Mapping[str, Any] | None = None,
        exclude: Sequence[Mapping[str, Any]] = (),
        overrides: Sequence[str] = (),
        seeds: Sequence[int] = (0,),
        metrics: Sequence[str] = (),
        search: Search | None = None,
    ) -> None:
        if not seeds or len(set(seeds)) < len(seeds):
            raise ConfigError(f"ablation.seeds must be different numbers, at least one, not {list(seeds)}.")
        if search is not None and axes:
            raise ConfigError("An ablation has axes or a search, not both.")
        self.experiment = experiment
        self.overrides = tuple(overrides)
        self.seeds = tuple(seeds)
        self.metrics = tuple(metrics)
        self.search = search
        self.points: list[Point] = expand(axes or {}, exclude)
        """The combinations to run; the first is what the others are compared with."""
