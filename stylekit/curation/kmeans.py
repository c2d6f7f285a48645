"""K-means by Lloyd's iterations, and by division where clusters are many."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from stylekit.curation.progress import Advance, unseen
from stylekit.errors import ConfigError, DataError

__all__ = ["Clustering", "divided_kmeans", "kmeans", "kmeans_passes", "lloyd", "nearest", "points_at_once"]

_AT_ONCE = 2**23  # distances held at a time
_DIRECT = 2**27  # distances in an iteration, up to which it is not worth dividing
_SAMPLE = 256  # points for each of the cells, enough to place them
_IN_CELL = 15  # Lloyd iterations in a cell, which only have to give a good beginning
_ROUNDING = 1e-6  # of the squared length: what float32 leaves of the distance of points that coincide
_ROUNDS = 5
_PROBES = 6


class Clustering(NamedTuple):
    """Points put into clusters."""

    centroids: NDArray[np.float32]
    labels: NDArray[np.int32]
    """Of each point, its cluster."""
    distances: NDArray[np.float32]
    """Of each point, the squared distance to its centroid."""


def kmeans(
    points: NDArray[np.float32],
    num_clusters: int,
    seed: int = 0,
    iterations: int = 50,
    advance: Advance = unseen,
) -> Clustering:
    """Cluster by squared Euclidean distance; no cluster is empty, and there are fewer where points coincide.

    Args:
        points: One row for each.
        num_clusters: How many to form.
        seed: Of the beginning (k-means++).
        iterations: Of Lloyd at most; it ends where no point changes its cluster.
        advance: Told of all points for each pass over them.
    """
    if not 1 <= num_clusters <= len(points):
        raise ConfigError(f"{len(points)} points cannot form {num_clusters} clusters; ask for fewer.")
    step = points_at_once(points.shape[1])
    if not all(np.isfinite(points[at : at + step]).all() for at in range(0, len(points), step)):
        raise DataError("Some of the points to cluster are not finite numbers.")
    points = np.ascontiguousarray(points, dtype=np.float32)
    way = lloyd if _is_direct(len(points), num_clusters) else divided_kmeans
    return way(points, num_clusters, np.random.default_rng(seed), iterations, advance=advance)


def kmeans_passes(num_points: int, num_clusters: int, iterations: int) -> int:
    """Say how often `kmeans` goes over so many points, at most."""
    return 1 + iterations if _is_direct(num_points, num_clusters) else 2 + min(_ROUNDS, iterations)


def lloyd(
    points: NDArray[np.float32],
    num_clusters: int,
    draw: np.random.Generator,
    iterations: int,
    advance: Advance = unseen,
) -> Clustering:
    """Begin by k-means++ and iterate over all points and centroids."""
    centroids = _spread(points, num_clusters, draw)
    labels, distances = nearest(points, centroids)
    advance(len(points))
    for _ in range(iterations):
        centroids = _means(points, labels, distances, len(centroids))
        before = labels
        labels, distances = nearest(points, centroids)
        advance(len(points))
        if np.array_equal(before, labels):
            break
    return _without_empty(Clustering(centroids, labels, distances))


def divided_kmeans(
    points: NDArray[np.float32],
    num_clusters: int,
    draw: np.random.Generator,
    iterations: int,
    rounds: int = _ROUNDS,
    probes: int = _PROBES,
    advance: Advance = unseen,
) -> Clustering:
    """Divide the points into about sqrt(k) cells, cluster within each, then let points cross the borders.

    Each round is an iteration of Lloyd in which a point is held against the centroids in the `probes` cells
    nearest to it only, of which the nearest centroid is nearly always one.
    """
    num_cells = max(2, round(num_clusters**0.5))
    sample = points
    if len(points) > _SAMPLE * num_cells:
        sample = points[np.sort(draw.choice(len(points), _SAMPLE * num_cells, replace=False))]
    cells = lloyd(sample, num_cells, draw, min(iterations, _IN_CELL)).centroids
    around = _nearest_cells(points, cells, min(probes, len(cells)))
    centroids = _within_cells(points, around[:, 0], num_clusters, draw, min(iterations, _IN_CELL))
    advance(len(points))
    seen_by = np.split(
        np.argsort(around, axis=None, kind="stable") // around.shape[1],
        np.cumsum(np.bincount(around.ravel(), minlength=len(cells)))[:-1],
    )
    labels, distances = _nearest_seen(points, seen_by, cells, centroids)
    advance(len(points))
    for _ in range(min(rounds, iterations)):
        centroids = _means(points, labels, distances, len(centroids))
        labels, distances = _nearest_seen(points, seen_by, cells, centroids)
        advance(len(points))
    return _without_empty(Clustering(centroids, labels, distances))


def points_at_once(width: int) -> int:
    """Return how many points, with so many numbers for each, are looked at together."""
    return max(1, _AT_ONCE // width)


def nearest(
    points: NDArray[np.float32], centroids: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the nearest centroid of each point and the squared distance to it."""
    labels = np.empty(len(points), dtype=np.int32)
    distances = np.empty(len(points), dtype=np.float32)
    half = 0.5 * np.einsum("ij,ij->i", centroids, centroids)
    step = points_at_once(len(centroids))
    for at in range(0, len(points), step):
        block = points[at : at + step]
        # |x - c|^2 = |x|^2 - 2 (x c - |c|^2 / 2)
        closeness = block @ centroids.T
        closeness -= half
        found = closeness.argmax(axis=1)
        labels[at : at + step] = found
        best = np.take_along_axis(closeness, found[:, None], axis=1)[:, 0]
        distances[at : at + step] = np.einsum("ij,ij->i", block, block) - 2.0 * best
    return labels, np.maximum(distances, 0.0, out=distances)


def _is_direct(num_points: int, num_clusters: int) -> bool:
    return num_points * num_clusters <= _DIRECT


def _spread(points: NDArray[np.float32], count: int, draw: np.random.Generator) -> NDArray[np.float32]:
    """Draw beginnings by k-means++: each with a chance in proportion to its squared distance."""
    norms = np.einsum("ij,ij->i", points, points)
    chosen = [int(draw.integers(len(points)))]
    distances = np.full(len(points), np.inf, dtype=np.float32)
    while True:
        last = chosen[-1]
        away = norms - 2.0 * (points @ points[last]) + norms[last]
        away[away < _ROUNDING * norms] = 0.0
        np.minimum(distances, away, out=distances)
        distances[last] = 0.0
        if len(chosen) == count:
            break
        reached = np.cumsum(distances, dtype=np.float64)
        if reached[-1] <= 0.0:
            break  # all other points coincide with chosen ones
        chosen.append(int(np.searchsorted(reached, draw.random() * reached[-1], side="right")))
    return points[chosen]


def _means(
    points: NDArray[np.float32], labels: NDArray[np.int32], distances: NDArray[np.float32], count: int
) -> NDArray[np.float32]:
    """Return the mean of each cluster; an empty one moves to one of the points farthest from theirs."""
    order = np.argsort(labels, kind="stable")
    sizes = np.bincount(labels, minlength=count)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    members = csr_array((np.ones(len(points), dtype=np.float32), order, ends), shape=(count, len(points)))
    centroids: NDArray[np.float32] = members @ points
    centroids /= np.maximum(sizes, 1).astype(np.float32)[:, None]
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        farthest = np.argsort(-distances, kind="stable")[: len(empty)]
        centroids[empty] = points[farthest]
    return centroids


def _within_cells(
    points: NDArray[np.float32],
    cell: NDArray[np.int16],
    num_clusters: int,
    draw: np.random.Generator,
    iterations: int,
) -> NDArray[np.float32]:
    """Cluster the points of each cell on their own, into a share of the clusters in proportion to them."""
    order = np.argsort(cell, kind="stable")
    sizes = np.bincount(cell)
    bounds = np.cumsum(sizes)
    shares = np.diff(np.round(bounds * (num_clusters / len(points))).astype(np.int64), prepend=0)
    found = []
    for start, size, share in zip(bounds - sizes, sizes, shares, strict=True):
        if share:
            members = points[order[start : start + size]]
            found.append(lloyd(members, int(share), draw, iterations).centroids)
    return np.concatenate(found)


def _nearest_cells(points: NDArray[np.float32], cells: NDArray[np.float32], probes: int) -> NDArray[np.int16]:
    """Return the cells nearest to each point, the nearest first."""
    found = np.empty((len(points), probes), dtype=np.int16)
    half = 0.5 * np.einsum("ij,ij->i", cells, cells)
    step = _AT_ONCE // len(cells)
    for at in range(0, len(points), step):
        away = half - points[at : at + step] @ cells.T
        some = np.argpartition(away, probes - 1, axis=1)[:, :probes]
        ranks = np.argsort(np.take_along_axis(away, some, axis=1), axis=1, kind="stable")
        found[at : at + step] = np.take_along_axis(some, ranks, axis=1)
    return found


def _nearest_seen(
    points: NDArray[np.float32],
    seen_by: list[NDArray[np.int64]],
    cells: NDArray[np.float32],
    centroids: NDArray[np.float32],
) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the nearest centroid of each point among those whose cell sees it."""
    home, _ = nearest(centroids, cells)
    labels = np.zeros(len(points), dtype=np.int32)
    distances = np.full(len(points), np.inf, dtype=np.float32)
    for number, members in enumerate(seen_by):
        candidates = np.flatnonzero(home == number)
        if not len(candidates) or not len(members):
            continue
        found, away = nearest(points[members], centroids[candidates])
        nearer = away < distances[members]
        labels[members[nearer]] = candidates[found[nearer]]
        distances[members[nearer]] = away[nearer]
    lost = np.flatnonzero(np.isinf(distances))  # none of their cells has a centroid
    labels[lost], distances[lost] = nearest(points[lost], centroids)
    return labels, distances


def _without_empty(clustering: Clustering) -> Clustering:
    sizes = np.bincount(clustering.labels, minlength=len(clustering.centroids))
    filled = np.flatnonzero(sizes)
    number = np.cumsum(sizes > 0, dtype=np.int32) - 1
    labels = number[clustering.labels].astype(np.int32)
    return Clustering(clustering.centroids[filled], labels, clustering.distances)
