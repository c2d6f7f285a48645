"""A sample in which rare kinds are as likely as frequent ones, drawn from the top of a hierarchy down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from stylekit.bounds import Positive, bounded
from stylekit.curation.hierarchy import Hierarchy, build_hierarchy
from stylekit.curation.kmeans import kmeans_passes
from stylekit.curation.progress import Advance, unseen
from stylekit.errors import ConfigError

__all__ = ["Balanced", "Balancing", "Draw", "balanced_sample", "quotas"]

Draw = Literal["random", "closest"]


class Balanced(NamedTuple):
    """What was drawn, and from what."""

    kept: NDArray[np.int64]
    """Rows, ascending."""
    hierarchy: Hierarchy


class Balancing:
    """Hierarchical k-means on embeddings and a balanced sample of its leaves, as MegaStyle has it.

    Written from the description of the method in "Automatic Data Curation for Self-Supervised Learning"
    (arXiv 2405.15613), without its optional resampling.

    Args:
        levels: Numbers of clusters from the lowest level to the highest.
        size: Rows to draw: MegaStyle's 170,000 style prompts; of content prompts it has 400,000.
        draw: Which rows of a lowest cluster: any ("random"), or the nearest to its centroid ("closest").
        iterations: Of Lloyd at each level, at most.
        seed: Of k-means and of all that is drawn.
    """

    @bounded
    def __init__(
        self,
        levels: Sequence[int] = (50_000, 10_000, 5_000, 1_000),
        size: Positive = 170_000,
        draw: Draw = "random",
        iterations: Positive = 50,
        seed: int = 0,
    ) -> None:
        if draw not in get_args(Draw):
            raise ConfigError(f"draw is one of {', '.join(get_args(Draw))}, not {draw!r}.")
        self.levels = tuple(levels)
        self.size = size
        self.draw = draw
        self.iterations = iterations
        self.seed = seed

    def __call__(self, embeddings: NDArray[np.float32], advance: Advance = unseen) -> Balanced:
        """Draw `size` of the rows; `advance` is told of all rows for each pass over them."""
        _check_size(self.size, len(embeddings))
        hierarchy = build_hierarchy(embeddings, self.levels, self.seed, self.iterations, advance)
        return Balanced(balanced_sample(hierarchy, self.size, self.draw, self.seed), hierarchy)

    def passes(self, num_rows: int) -> int:
        """Say how often so many rows are gone over, at most."""
        return kmeans_passes(num_rows, max(self.levels, default=1), self.iterations)


def balanced_sample(
    hierarchy: Hierarchy, size: int, draw: Draw = "random", seed: int = 0
) -> NDArray[np.int64]:
    """Share `size` out from the top clusters down, each up to a common cut, and draw from the lowest."""
    _check_size(size, len(hierarchy.parents[0]))
    state = np.random.default_rng(seed)
    sizes = [np.bincount(hierarchy.parents[0])]
    for parent in hierarchy.parents[1:]:
        sizes.append(np.bincount(parent, weights=sizes[-1]).astype(np.int64))
    share = quotas(sizes[-1], size, state)
    for parent, below in zip(hierarchy.parents[:0:-1], sizes[-2::-1], strict=True):
        of_children = np.zeros(len(parent), dtype=np.int64)
        for quota, children in zip(share.tolist(), _members(parent), strict=True):
            of_children[children] = quotas(below[children], quota, state)
        share = of_children
    rank = hierarchy.distances if draw == "closest" else state.permutation(len(hierarchy.distances))
    drawn = [
        points[np.argsort(rank[points], kind="stable")[:quota]]
        for quota, points in zip(share.tolist(), _members(hierarchy.parents[0]), strict=True)
    ]
    return np.sort(np.concatenate(drawn))


def quotas(sizes: NDArray[np.int64], total: int, state: np.random.Generator) -> NDArray[np.int64]:
    """Give each child min(cut, size) with the greatest cut that `total` allows, the rest to larger ones.

    Args:
        sizes: Of the children; their sum is at least `total`.
        total: What to share out.
        state: Draws the children that get one more.
    """
    low, high = 0, int(sizes.max(initial=0))
    while low < high:
        cut = (low + high + 1) // 2
        if np.minimum(cut, sizes).sum() <= total:
            low = cut
        else:
            high = cut - 1
    share = np.minimum(low, sizes)
    larger = np.flatnonzero(sizes > low)
    share[state.choice(larger, size=total - share.sum(), replace=False)] += 1
    return share


def _members(parents: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    """Return the children of each parent."""
    order = np.argsort(parents, kind="stable")
    return np.split(order, np.cumsum(np.bincount(parents))[:-1])


def _check_size(size: int, count: int) -> None:
    if not 1 <= size <= count:
        raise ConfigError(
            f"A sample of {size} cannot be drawn from {count} rows; set size to at most {count}."
        )
