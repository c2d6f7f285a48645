"""Duplicates in meaning: embeddings that point almost the same way (SemDeDup, arXiv 2303.09540)."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stylekit.curation.kmeans import kmeans, nearest, points_at_once
from stylekit.curation.removals import Removals
from stylekit.errors import ConfigError, DataError

__all__ = ["Keep", "UnitRows", "cluster_count", "ends_of", "pair_cosines", "semantic_duplicates"]

Keep = Literal["hard", "easy", "random"]

_AT_ONCE = 2**23  # cosines held at a time
_PAIRS = 2**16  # rows held at a time beside their others
_ROWS = 1_000  # of a cluster, at least: fewer are compared in less time than clustering takes
_SAMPLE = 256  # rows for each cluster, enough to place it


def semantic_duplicates(
    embeddings: NDArray[np.float32],
    n_clusters: int = 100,
    eps: float = 0.01,
    which_to_keep: Keep = "hard",
    seed: int = 42,
    chains: bool = True,
) -> Removals:
    """Find rows whose cosine with another of their k-means cluster is above 1 - eps; one of them stays.

    The defaults are NVIDIA NeMo-Curator's, and so are the names.

    Args:
        embeddings: One row for each, of any length but zero.
        n_clusters: Of k-means, so that not all pairs are compared; fewer where a cluster would have less
            than 1,000 rows.
        eps: How far below 1 a cosine is still that of duplicates.
        which_to_keep: The row that is farthest from its cluster's centre ("hard"), nearest ("easy"), or
            any ("random").
        seed: Of k-means and of random order.
        chains: Whether a row goes for one that goes itself, as in NeMo-Curator, so that duplicates of
            duplicates are duplicates. Else a row goes only for one that stays.
    """
    if which_to_keep not in get_args(Keep):
        raise ConfigError(f"which_to_keep is one of {', '.join(get_args(Keep))}, not {which_to_keep!r}.")
    rows = UnitRows(embeddings)
    labels, distances = _clusters(rows, n_clusters, seed)
    shuffled = np.random.default_rng(seed).random(len(rows), dtype=np.float32)
    ranks: dict[Keep, NDArray[np.float32]] = {"hard": -distances, "easy": distances, "random": shuffled}
    order = np.lexsort((ranks[which_to_keep], labels))
    bounds = np.searchsorted(labels[order], np.arange(labels.max(initial=-1) + 2))
    found = np.arange(len(rows))
    search = _chained if chains else _direct
    for begin, end in pairwise(bounds.tolist()):
        members = order[begin:end]
        found[members] = members[search(rows[members], 1.0 - eps)]
    index = np.flatnonzero(found != np.arange(len(rows)))
    return Removals.of("semantic", index, found[index], pair_cosines(rows, index, found[index]))


class UnitRows:
    """Embeddings of length 1, of which no second copy is held: those that are asked for are made then."""

    def __init__(self, embeddings: NDArray[np.float32]) -> None:
        norms = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64))
        if not np.isfinite(norms).all() or (norms == 0.0).any():
            raise DataError(
                "Some embeddings are zero or not finite: embed those texts again, or leave them out."
            )
        self.embeddings, self.norms = embeddings, norms.astype(np.float32)

    def __len__(self) -> int:
        return len(self.embeddings)

    def __getitem__(self, at: NDArray[np.int64] | slice) -> NDArray[np.float32]:
        unit: NDArray[np.float32] = self.embeddings[at] / self.norms[at][:, None]
        return unit


def cluster_count(num_rows: int, n_clusters: int) -> int:
    """Say how many clusters so many rows are put into, of `n_clusters` at most."""
    return max(1, min(n_clusters, num_rows // _ROWS))


def _clusters(rows: UnitRows, n_clusters: int, seed: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Cluster a sample, then put every row to the nearest centre."""
    count = cluster_count(len(rows), n_clusters)
    labels, distances = np.empty(len(rows), dtype=np.int32), np.empty(len(rows), dtype=np.float32)
    if not len(rows):
        return labels, distances
    draw = np.random.default_rng(seed)
    sample = np.sort(draw.choice(len(rows), min(len(rows), count * _SAMPLE), replace=False))
    centroids = kmeans(rows[sample], count, seed).centroids
    step = points_at_once(len(centroids))
    for at in range(0, len(rows), step):
        some = slice(at, at + step)
        labels[some], distances[some] = nearest(rows[some], centroids)
    return labels, distances


def pair_cosines(rows: UnitRows, index: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the cosine of each row with the other one."""
    found = np.empty(len(index), dtype=np.float32)
    for at in range(0, len(index), _PAIRS):
        some = slice(at, at + _PAIRS)
        found[some] = np.einsum("ij,ij->i", rows[index[some]], rows[other[some]])
    return found


def _chained(rows: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """Return for each row the first one to which earlier and earlier alike ones lead."""
    found = np.arange(len(rows))
    step = max(1, _AT_ONCE // len(rows))
    for at in range(0, len(rows), step):
        block = rows[at : at + step]
        cosines = block @ rows[: at + len(block)].T
        cosines[np.arange(cosines.shape[1]) >= at + np.arange(len(block))[:, None]] = -2.0
        best = cosines.argmax(axis=1)
        alike = cosines[np.arange(len(block)), best] > threshold
        found[at : at + step][alike] = best[alike]
    return ends_of(found)


def ends_of(next_row: NDArray[np.int64]) -> NDArray[np.int64]:
    """Follow from each row what it names to the one that names itself."""
    found = next_row
    for _ in range(len(found).bit_length()):  # each time twice as far
        found = found[found]
    if (next_row[found] != found).any():
        raise DataError("Rows name each other as duplicates in a circle: nothing stays for them.")
    return found


def _direct(rows: NDArray[np.float32], threshold: float) -> NDArray[np.int64]:
    """Return for each row the most alike of the earlier ones that stay; itself where it stays."""
    found = np.arange(len(rows))
    staying = np.empty(0, dtype=np.int64)
    step = max(1, min(2048, _AT_ONCE // len(rows)))
    for at in range(0, len(rows), step):
        block = rows[at : at + step]
        open_rows = np.arange(len(block))
        if len(staying):
            cosines = block @ rows[staying].T
            best = cosines.argmax(axis=1)
            goes = cosines[open_rows, best] > threshold
            found[at : at + step][goes] = staying[best[goes]]
            open_rows = np.flatnonzero(~goes)
        stays = _within(block[open_rows], threshold, open_rows + at, found)
        staying = np.concatenate([staying, stays])
    return found


def _within(
    block: NDArray[np.float32], threshold: float, places: NDArray[np.int64], found: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Let rows go for earlier ones of their block, note it in `found`, and return the places that stay."""
    cosines = np.tril(block @ block.T, k=-1)
    stays = np.ones(len(block), dtype=bool)
    for row in np.flatnonzero((cosines > threshold).any(axis=1)):
        earlier = np.where(stays[:row], cosines[row, :row], -2.0)
        best = int(earlier.argmax())
        if earlier[best] > threshold:
            stays[row] = False
            found[places[row]] = places[best]
    return places[stays]
