"""Which images make up batch number n: a pure function of seed and n, computed by hashing, without state.

Nothing here depends on a random number generator of a library, so an order stays the same from version to
version, whatever the number of processes or workers, and can be entered at any batch.
"""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["BatchRows", "PermutationStream", "StyleSampler", "hash64", "permutation", "uniform"]

Key: TypeAlias = int | str | NDArray[np.integer]
Bits: TypeAlias = int | NDArray[np.uint64]

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


def hash64(*parts: Key) -> NDArray[np.uint64]:
    """Hash integers, strings and integer arrays (broadcast together) to 64 bits, at least one-dimensional."""
    state: Bits = _GOLDEN
    for part in parts:
        state = _splitmix64(_xor(state, _splitmix64(_bits(part))))
    return np.atleast_1d(np.asarray(state, dtype=np.uint64))


def uniform(*parts: Key) -> NDArray[np.float64]:
    """Hash to numbers in [0, 1)."""
    return (hash64(*parts) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def permutation(size: int, *key: Key) -> NDArray[np.int64]:
    """Permute range(size) as the key says."""
    return np.argsort(hash64(*key, np.arange(size)), kind="stable")


class PermutationStream:
    """An endless sequence of permutations of range(size), cut into windows in which no item occurs twice.

    Epoch e of the stream is a permutation given by (key, e). Where a window straddles two epochs, the later
    permutation is repaired: items that the window already holds change places with the next that it does not.
    """

    def __init__(self, size: int, window: int, *key: Key) -> None:
        assert 1 <= window <= size, f"a window of {window} cannot be filled from {size} items without repeats"
        self.size, self._window, self._key = size, window, key
        self._period = window // math.gcd(
            size, window
        )  # every so many epochs, a window starts with the epoch
        self._orders: OrderedDict[int, NDArray[np.int64]] = OrderedDict()

    def window(self, index: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the items of window number `index` and the epoch in which each of them stands."""
        positions = np.arange(index * self._window, (index + 1) * self._window)
        epochs = positions // self.size
        first = int(epochs[0])
        orders = [self._order(epoch) for epoch in range(first, int(epochs[-1]) + 1)]
        return np.concatenate(orders)[positions - first * self.size], epochs

    def _order(self, epoch: int) -> NDArray[np.int64]:
        if epoch in self._orders:
            return self._orders[epoch]
        aligned = epoch - epoch % self._period
        # A repair touches the end of an epoch only if there are fewer than two windows of items. Otherwise
        # the end of the epoch before is that of its plain permutation, and no earlier epoch matters.
        start = aligned if self.size < 2 * self._window else max(aligned, epoch - 1)
        order = permutation(self.size, *self._key, start)
        for later in range(start + 1, epoch + 1):
            order = self._repaired(permutation(self.size, *self._key, later), order, later)
        self._orders[epoch] = order
        while len(self._orders) > 2:
            self._orders.popitem(last=False)
        return order

    def _repaired(self, order: NDArray[np.int64], before: NDArray[np.int64], epoch: int) -> NDArray[np.int64]:
        filled = epoch * self.size % self._window
        if not filled:
            return order
        head = self._window - filled
        taken = np.isin(order, before[-filled:])
        clashes = np.flatnonzero(taken[:head])
        others = head + np.flatnonzero(~taken[head:])[: len(clashes)]
        order[clashes], order[others] = order[others], order[clashes]
        return order


class BatchRows(NamedTuple):
    """What one process trains on in one batch."""

    slots: NDArray[np.int64]
    """(p,) places of this process's styles in the whole batch."""
    styles: NDArray[np.int64]
    """(p,) style indices."""
    rows: NDArray[np.int64]
    """(p, k) image indices."""


class StyleSampler:
    """Batches of `styles_per_batch` styles with `images_per_style` images each.

    Over an epoch every style comes once; over the visits to a style every image of it comes equally often, in
    new company each time. The batch is the same whatever the number of processes: each takes its slice.

    Args:
        rows_by_style: for each style the image indices, at least `images_per_style` of them.
    """

    def __init__(
        self,
        rows_by_style: Sequence[NDArray[np.int64]],
        styles_per_batch: int,
        images_per_style: int,
        seed: int,
    ) -> None:
        self.rows_by_style = rows_by_style
        self.styles_per_batch, self.images_per_style, self.seed = styles_per_batch, images_per_style, seed
        self._styles = PermutationStream(len(rows_by_style), styles_per_batch, seed, "styles")

    def styles(self, position: int) -> NDArray[np.int64]:
        """Return the styles of the whole batch number `position`, of all processes together."""
        return self._styles.window(position)[0]

    def batch(self, position: int, rank: int = 0, world_size: int = 1) -> BatchRows:
        """Return the share of process `rank` in batch number `position`."""
        assert self.styles_per_batch % world_size == 0, "each process takes an equal number of whole styles"
        styles, visits = self._styles.window(position)
        slots = np.array_split(np.arange(self.styles_per_batch), world_size)[rank]
        rows = [self._images(int(styles[slot]), int(visits[slot])) for slot in slots]
        return BatchRows(slots, styles[slots], np.stack(rows))

    def _images(self, style: int, visit: int) -> NDArray[np.int64]:
        rows = self.rows_by_style[style]
        chosen, _ = PermutationStream(len(rows), self.images_per_style, self.seed, "images", style).window(
            visit
        )
        return rows[chosen]


def _bits(part: Key) -> Bits:
    if isinstance(part, str):
        return _string_bits(part)
    return part & _MASK if isinstance(part, int) else np.atleast_1d(part).astype(np.uint64)


def _xor(a: Bits, b: Bits) -> Bits:
    if isinstance(a, int) and isinstance(b, int):
        return a ^ b
    return np.bitwise_xor(np.asarray(a, dtype=np.uint64), np.asarray(b, dtype=np.uint64))


@lru_cache(maxsize=1024)
def _string_bits(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _splitmix64(x: Bits) -> Bits:
    """Mix the bits (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators")."""
    if isinstance(x, int):  # ten times as fast as numpy on a single number
        x = (x + _GOLDEN) & _MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & _MASK
        return x ^ (x >> 31)
    x = x + np.uint64(_GOLDEN)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
