"""How even a sample is, and how much of what was planted a deduplication finds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylekit.curation.hierarchy import Hierarchy
from stylekit.curation.prompt_pool import KINDS, PromptPool
from stylekit.curation.removals import LEVELS, Removals

__all__ = ["balance_figures", "duplicate_figures", "effective_kinds", "entropy", "gini"]


def balance_figures(hierarchy: Hierarchy, kept: NDArray[np.int64]) -> list[dict[str, float]]:
    """Return for each level, the lowest first, how evenly its clusters are filled before and after."""
    found = []
    for labels in hierarchy.labels():
        before = np.bincount(labels)
        after = np.bincount(labels[kept], minlength=len(before))
        found.append(
            {
                "clusters": len(before),
                "entropy_before": entropy(before),
                "entropy_after": entropy(after),
                "gini_before": gini(before),
                "gini_after": gini(after),
            }
        )
    return found


def entropy(counts: NDArray[np.int64]) -> float:
    """Return Shannon's entropy of the shares over that of equal ones: 1 is even, 0 all in one."""
    if len(counts) < 2:
        return 1.0
    return float(_nats(counts) / np.log(len(counts)))


def effective_kinds(counts: NDArray[np.int64]) -> float:
    """Return how many kinds of equal shares have the entropy of these: the exponential of it."""
    return float(np.exp(_nats(counts)))


def gini(counts: NDArray[np.int64]) -> float:
    """Return the mean difference of two counts over twice their mean: 0 is even, near 1 all in one."""
    ordered = np.sort(counts).astype(np.float64)
    ranks = 2.0 * np.arange(1, len(ordered) + 1) - len(ordered) - 1.0
    return float((ranks * ordered).sum() / (len(ordered) * ordered.sum()))


def duplicate_figures(pool: PromptPool, removals: Removals) -> dict[str, dict[str, Any]]:
    """Hold what each level took out against what was planted.

    A removal is right where the row and the one that stayed for it come from one original. A planted
    duplicate is found where it and its original come down to one row; what a level finds includes what the
    levels before it found. `differing` says of the wrong removals in how many of nine attributes the styles
    differ, at the median.
    """
    right = pool.original[removals.row] == pool.original[removals.through]
    differing = (pool.words[removals.row] != pool.words[removals.through]).sum(axis=1)
    stands_for = np.arange(len(pool.texts))
    found: dict[str, dict[str, Any]] = {}
    for level in LEVELS:
        here = removals.level == level
        if not here.any():
            continue
        stands_for = _led_on(stands_for, removals.row[here], removals.through[here])
        figures: dict[str, Any] = {"removed": int(here.sum()), "precision": float(right[here].mean())}
        if not right[here].all():
            figures["differing"] = float(np.median(differing[here & ~right]))
        for number, kind in enumerate(KINDS[1:], start=1):
            of_kind = np.flatnonzero(pool.kind == number)
            same = stands_for[of_kind] == stands_for[pool.original[of_kind]]
            figures[f"recall_{kind}"] = float(same.mean()) if len(of_kind) else 1.0
        found[level] = figures
    return found


def _led_on(
    stands_for: NDArray[np.int64], index: NDArray[np.int64], through: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Let rows stand for `through` that stood for `index`."""
    after = np.arange(len(stands_for))
    after[index] = through
    return after[stands_for]


def _nats(counts: NDArray[np.int64]) -> np.float64:
    shares = counts[counts > 0] / counts.sum()
    found: np.float64 = -(shares * np.log(shares)).sum()
    return found
