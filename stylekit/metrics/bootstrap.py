"""Intervals for a mean over styles, and over the training seeds of a method."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Interval", "mean_interval", "paired_difference"]


class Interval(NamedTuple):
    """A mean and the ends of its 95 % interval."""

    mean: float
    low: float
    high: float


def mean_interval(
    values: ArrayLike,
    clusters: ArrayLike | None = None,
    limits: tuple[float, float] = (-np.inf, np.inf),
    num_resamples: int = 5000,
    seed: int = 0,
) -> Interval:
    """Estimate the mean over seeds and styles, with an interval that holds for new styles and new seeds.

    Styles are resampled (percentile bootstrap of the mean over seeds, widened for small samples). Training
    seeds are few: resampling three of them gives intervals that hold in 73 % to 83 % of simulated cases
    instead of 95 % where seeds differ more than styles. So their part is drawn from Student's t with the
    standard error of the seeds' means, which holds in 95 %.

    Args:
        values: One row of per-style values for each training seed, or a single row.
        clusters: For each style the cluster it is resampled with, where styles depend on one another (those
            of one palette group are ranked against each other). Each style on its own by default.
        limits: The range of the metric; the interval is cut to it.
        num_resamples: How many bootstrap samples are drawn.
        seed: Of the draws; the same values give the same interval.
    """
    table = _table(values)
    generator = np.random.default_rng(seed)
    means = _resampled_means(table.mean(axis=0), clusters, num_resamples, generator)
    num_seeds = len(table)
    if num_seeds > 1:
        standard_error = table.mean(axis=1).std(ddof=1) / np.sqrt(num_seeds)
        means = means + standard_error * generator.standard_t(num_seeds - 1, num_resamples)
    low, high = np.clip(np.quantile(means, [0.025, 0.975]), *limits)
    return Interval(float(table.mean()), float(low), float(high))


def paired_difference(values: ArrayLike, baseline: ArrayLike, **settings: Any) -> Interval:
    """Estimate the mean of values minus baseline, style by style; settings as of `mean_interval`.

    The baseline has one row, or as many rows as values, seed by seed.
    """
    ours, theirs = _table(values), _table(baseline)
    if theirs.shape[1] != ours.shape[1] or len(theirs) not in (1, len(ours)):
        raise ValueError(
            f"values {ours.shape} and baseline {theirs.shape} do not pair: the styles must be the same"
        )
    return mean_interval(ours - theirs, **settings)


def _table(values: ArrayLike) -> NDArray[np.float64]:
    table = np.atleast_2d(np.asarray(values, dtype=np.float64))
    if table.ndim != 2 or table.size == 0 or not np.isfinite(table).all():
        raise ValueError("an interval needs finite values in rows: one row a seed, one column a style")
    return table


def _resampled_means(
    values: NDArray[np.float64],
    clusters: ArrayLike | None,
    num_resamples: int,
    generator: np.random.Generator,
) -> NDArray[np.float64]:
    names = np.arange(len(values)) if clusters is None else np.asarray(clusters)
    if len(names) != len(values):
        raise ValueError(f"{len(names)} clusters for {len(values)} styles")
    _, members = np.unique(names, return_inverse=True)
    sums, counts = np.bincount(members, weights=values), np.bincount(members)
    if len(sums) < 2:
        raise ValueError("an interval needs at least two styles, or two clusters of styles")
    at_once = max(1, 1_000_000 // len(sums))  # thousands of styles would be gigabytes in one draw
    means = []
    for start in range(0, num_resamples, at_once):
        drawn = generator.integers(len(sums), size=(min(at_once, num_resamples - start), len(sums)))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    centre = float(values.mean())
    spread: NDArray[np.float64] = np.concatenate(means) - centre
    return centre + _expansion(len(sums)) * spread


def _expansion(num_clusters: int) -> float:
    """Return how much too narrow a percentile interval of few clusters is (Hesterberg 2015, section 4.1)."""
    freedom, z = num_clusters - 1, 1.96
    # Student's t quantile from the normal one, by the Cornish-Fisher expansion.
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return float(t / z * np.sqrt(num_clusters / freedom))
