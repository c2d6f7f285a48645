"""The contract of a benchmark: data and metrics in one, run on a method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, TypeVar

from numpy.typing import NDArray

from stylekit.method import Need, StyleMethod
from stylekit.metrics import Better, Unit

__all__ = ["Benchmark", "BenchmarkResult", "Scores"]

MethodT = TypeVar("MethodT", bound=StyleMethod)


@dataclass(frozen=True)
class Scores:
    """One metric, style by style (or by what else the benchmark's `unit` says)."""

    values: list[float]
    """One for each style, always in the same order, so that two methods can be paired."""
    clusters: list[int]
    """For each style the cluster it is resampled with; styles that depend on one another share one."""
    better: Better = "higher"
    unit: Unit = "percent"
    """Of the values; a percentage is kept as a fraction."""


@dataclass(frozen=True)
class BenchmarkResult:
    """What a benchmark measured on one method."""

    scores: dict[str, Scores]
    boards: dict[str, dict[str, Any]]
    """What each board held: counts, seed, and digests of its prompts and pixels."""
    exhibits: dict[str, NDArray[Any]] = field(default_factory=dict, compare=False)
    """What a report shows beside the numbers, named KIND/BOARD/PART; see stylekit.reporting."""


class Benchmark(ABC, Generic[MethodT]):
    """Data and metrics that any method of one kind can be held against.

    Args:
        name: Under which results are filed and logged.
        baselines: What results are compared with: experiments that need no training, and folders of runs.
    """

    fits: ClassVar[type[Any]]
    """The kind of method that it can measure: StyleEncoder, StyleRenderer."""
    needs: ClassVar[frozenset[Need] | None] = None
    """What a renderer must need that it measures: no less, and no more than it gives. None for any."""
    unit: ClassVar[str] = "styles"
    """What its intervals are over: a score has a value for each of these."""

    def __init__(self, name: str, baselines: Sequence[str] = ()) -> None:
        self.name = name

    @abstractmethod
    def run(self, method: MethodT) -> BenchmarkResult:
        """Measure a method, on the device that it is on."""
