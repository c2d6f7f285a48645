"""MinHash of character shingles, and what locality-sensitive hashing makes of it (Broder 1997)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["band_hashes", "jaccard", "shingle_hashes", "signatures"]

_AT_ONCE = 256  # texts whose hashes stay in a core's cache
_BASE = np.uint64(0x9E3779B97F4A7C15)


def band_hashes(
    texts: Sequence[str], char_ngrams: int, num_bands: int, minhashes_per_band: int, seed: int
) -> NDArray[np.uint64]:
    """Hash each band of each text's MinHash signature: one row for each band.

    Texts that share a hash in a row have the same minima in that band. The chance of that is J^r for two
    texts of Jaccard index J and r minima in a band.
    """
    draw = np.random.default_rng(seed)
    count = num_bands * minhashes_per_band
    # multiplying by an odd number and adding permutes 32 bits
    factors = draw.integers(2**32, size=count, dtype=np.uint32) | np.uint32(1)
    offsets = draw.integers(2**32, size=count, dtype=np.uint32)
    weights = draw.integers(2**64, size=minhashes_per_band, dtype=np.uint64) | np.uint64(1)
    found = np.empty((num_bands, len(texts)), dtype=np.uint64)
    for at in range(0, len(texts), _AT_ONCE):
        hashes, starts = shingle_hashes(texts[at : at + _AT_ONCE], char_ngrams)
        minima = signatures(hashes, starts, factors, offsets)
        bands = minima.reshape(num_bands, minhashes_per_band, -1).astype(np.uint64)
        found[:, at : at + _AT_ONCE] = _mixed((bands * weights[:, None]).sum(axis=1, dtype=np.uint64))
    return found


def shingle_hashes(texts: Sequence[str], length: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Hash every run of `length` characters of each text, and say where each text's hashes begin.

    A shorter text is one shingle of its own.
    """
    padded = [text.ljust(length, "\0") for text in texts]
    codes = np.frombuffer("".join(padded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    sizes = np.fromiter(map(len, padded), dtype=np.int64, count=len(padded))
    counts = sizes - length + 1
    starts = np.cumsum(counts) - counts
    # of the runs in all texts in a row, those that lie within one
    places = np.arange(counts.sum()) + np.repeat(np.cumsum(sizes) - sizes - starts, counts)
    return (_mixed(_rolling(codes.astype(np.uint64), length))[places] >> np.uint64(32)).astype(
        np.uint32
    ), starts


def signatures(
    hashes: NDArray[np.uint32],
    starts: NDArray[np.int64],
    factors: NDArray[np.uint32],
    offsets: NDArray[np.uint32],
) -> NDArray[np.uint32]:
    """Take each text's minimum under every permutation `factor * hash + offset`: one row for each."""
    minima = np.empty((len(factors), len(starts)), dtype=np.uint32)
    permuted = np.empty_like(hashes)
    for row, (factor, offset) in enumerate(zip(factors, offsets, strict=True)):
        np.multiply(hashes, factor, out=permuted)
        np.add(permuted, offset, out=permuted)
        np.minimum.reduceat(permuted, starts, out=minima[row])
    return minima


def jaccard(one: str, other: str, char_ngrams: int) -> float:
    """Return the Jaccard index of two texts' shingles, exactly."""
    first, second = _shingles(one, char_ngrams), _shingles(other, char_ngrams)
    shared = len(first & second)
    return shared / (len(first) + len(second) - shared)


def _shingles(text: str, length: int) -> set[str]:
    return {text[at : at + length] for at in range(max(1, len(text) - length + 1))}


def _rolling(codes: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """Hash every run of so many codes as a polynomial, put together from runs of powers of two."""
    found, width = np.zeros(len(codes) + 1, dtype=np.uint64), 0
    block, size = codes, 1
    while True:
        if length & size:
            found = _chained(found, width, block, size)
            width += size
        if width == length:
            return found
        block = _chained(block, size, block, size)
        size *= 2


def _chained(
    first: NDArray[np.uint64], width: int, second: NDArray[np.uint64], size: int
) -> NDArray[np.uint64]:
    """Hash runs that begin as in `first` and end as in `second`."""
    behind = second[width:]
    power = np.uint64(pow(int(_BASE), size, 2**64))
    return first[: len(behind)] * power + behind


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Spread differences over all bits (the finalizer of SplitMix64)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        values = (values ^ (values >> np.uint64(shift))) * np.uint64(factor)
    return values ^ (values >> np.uint64(31))
