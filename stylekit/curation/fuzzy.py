"""Duplicates that share most of their runs of characters."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from stylekit.curation.exact import normalised
from stylekit.curation.minhash import band_hashes, jaccard
from stylekit.curation.removals import Removals

__all__ = ["components", "fuzzy_duplicates"]


def fuzzy_duplicates(
    texts: Sequence[str],
    char_ngrams: int = 24,
    num_bands: int = 20,
    minhashes_per_band: int = 13,
    seed: int = 42,
    chains: bool = True,
) -> Removals:
    """Find texts that are linked by an equal band of their MinHash signatures; the first of them stays.

    The defaults are NVIDIA NeMo-Curator's: a link is as likely as not at a Jaccard index of 0.77. Texts are
    normalised first. One that is shorter than a shingle is linked to its equals only.

    Args:
        texts: One for each row.
        char_ngrams: Characters of a shingle.
        num_bands: Bands of a signature.
        minhashes_per_band: Minima of a band, which are equal with a chance of J^minhashes_per_band.
        seed: Of the permutations.
        chains: Whether all that are linked through others are duplicates, as in NeMo-Curator; in a dense
            pool those can have nothing in common. Else a text goes only for one that stays, is linked to it
            and has a Jaccard index of (1 / num_bands)^(1 / minhashes_per_band), about 0.79, with it.
    """
    said = [normalised(text) for text in texts]
    bands = band_hashes(said, char_ngrams, num_bands, minhashes_per_band, seed)
    threshold = (1.0 / num_bands) ** (1.0 / minhashes_per_band)
    first = components(bands) if chains else _stars(bands, said, char_ngrams, threshold)
    index = np.flatnonzero(first != np.arange(len(texts)))
    scores = [jaccard(said[row], said[first[row]], char_ngrams) for row in index.tolist()]
    return Removals.of("fuzzy", index, first[index], np.array(scores, dtype=np.float32))


def components(bands: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Name for each column the first of all that are linked to it; two are that share a value in a row."""
    count = bands.shape[1]
    ends = []
    for band in bands:
        order = np.argsort(band, kind="stable")
        same = band[order[1:]] == band[order[:-1]]
        ends.append(np.stack([order[:-1][same], order[1:][same]]))
    one, other = np.concatenate(ends, axis=1)
    links = coo_array((np.ones(len(one), dtype=bool), (one, other)), shape=(count, count))
    _, member = connected_components(links, directed=False)
    _, first = np.unique(member, return_index=True)
    return np.asarray(first[member], dtype=np.int64)


def _stars(
    bands: NDArray[np.uint64], texts: Sequence[str], char_ngrams: int, threshold: float
) -> NDArray[np.int64]:
    """Name for each text the most alike of the earlier, linked ones that stay; itself if none."""
    first = np.arange(len(texts))
    shared = np.zeros(bands.shape, dtype=bool)
    for band, row in zip(bands, shared, strict=True):
        _, number, times = np.unique(band, return_inverse=True, return_counts=True)
        row[:] = times[number] > 1
    staying: dict[tuple[int, int], list[int]] = defaultdict(list)
    for text in np.flatnonzero(shared.any(axis=0)).tolist():
        linked = [(row, int(bands[row, text])) for row in np.flatnonzero(shared[:, text]).tolist()]
        candidates = sorted({other for key in linked for other in staying[key]})
        alike = [(jaccard(texts[text], texts[other], char_ngrams), -other) for other in candidates]
        best, other = max(alike, default=(0.0, 0))
        if best >= threshold:
            first[text] = -other
        else:
            for key in linked:
                staying[key].append(text)
    return first
