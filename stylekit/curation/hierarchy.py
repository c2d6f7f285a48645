"""Clusters of clusters: k-means on points, then on its centroids, and on theirs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stylekit.curation.kmeans import kmeans
from stylekit.curation.progress import Advance, unseen
from stylekit.errors import ConfigError

__all__ = ["Hierarchy", "build_hierarchy"]


class Hierarchy(NamedTuple):
    """A tree over points, from the lowest level to the highest."""

    parents: tuple[NDArray[np.int32], ...]
    """Of each point its cluster at level 1, of each of those its cluster at level 2, and so on."""
    distances: NDArray[np.float32]
    """Of each point, the squared distance to the centroid of its cluster at level 1."""

    def labels(self) -> list[NDArray[np.int32]]:
        """Return for each level the cluster of every point."""
        found = [self.parents[0]]
        for parent in self.parents[1:]:
            found.append(parent[found[-1]])
        return found


def build_hierarchy(
    points: NDArray[np.float32],
    levels: Sequence[int],
    seed: int = 0,
    iterations: int = 50,
    advance: Advance = unseen,
) -> Hierarchy:
    """Cluster the points into levels[0], their centroids into levels[1], and so on.

    Args:
        points: One row for each.
        levels: Numbers of clusters, falling; fewer are formed where points coincide.
        seed: Of k-means.
        iterations: Of Lloyd at each level, at most.
        advance: Told of all points for each pass over them, which the lowest level makes.
    """
    sizes = [len(points), *levels]
    if not levels or any(upper >= lower for lower, upper in pairwise(sizes)) or levels[-1] < 1:
        raise ConfigError(
            f"Levels of {', '.join(map(str, levels)) or 'no'} clusters do not fit {len(points)} points: give "
            "falling numbers, the first smaller than the number of points."
        )
    parents: list[NDArray[np.int32]] = []
    distances = np.empty(0, dtype=np.float32)
    for level, count in enumerate(levels):
        told = unseen if level else advance
        found = kmeans(points, min(count, len(points)), seed + level, iterations, told)
        parents.append(found.labels)
        if level == 0:
            distances = found.distances
        points = found.centroids
    return Hierarchy(tuple(parents), distances)
