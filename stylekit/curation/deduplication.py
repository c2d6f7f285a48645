"""Deduplication of texts at three levels, as MegaStyle runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, NamedTuple, final

import numpy as np
from numpy.typing import NDArray

from stylekit.bounds import Fraction, Positive, bounded
from stylekit.curation.exact import exact_duplicates
from stylekit.curation.fuzzy import fuzzy_duplicates
from stylekit.curation.progress import Advance, unseen
from stylekit.curation.removals import LEVELS, Level, Removals, joined, kept_rows
from stylekit.curation.semantic import Keep, semantic_duplicates
from stylekit.errors import ConfigError

__all__ = ["Deduplicated", "Deduplication", "Deduplicator", "Embed"]

Embed = Callable[[NDArray[np.int64]], NDArray[np.float32]]
"""Returns the embeddings of rows."""


class Deduplicated(NamedTuple):
    """What stays and what goes."""

    kept: NDArray[np.int64]
    """Rows, ascending."""
    removals: Removals


class Deduplicator(ABC):
    """Finds duplicates level by level, each among what the one before has left.

    Args:
        levels: Which to run, in the order exact, fuzzy, semantic.
    """

    not_in_digest: ClassVar[frozenset[str]] = frozenset()
    """Settings that do not change which rows go."""

    def __init__(self, levels: Sequence[Level]) -> None:
        if not levels or list(levels) != [level for level in LEVELS if level in levels]:
            raise ConfigError(
                f"levels are some of {', '.join(LEVELS)}, in that order, not {', '.join(levels) or 'none'}."
            )
        self.levels = tuple(levels)

    @final
    def __call__(
        self, texts: Sequence[str], embed: Embed | None = None, advance: Advance = unseen
    ) -> Deduplicated:
        """Return the rows that stay, and for each that goes the one that stays for it; inside `ready()`.

        Args:
            texts: One for each row.
            embed: Asked for the embeddings of the rows that reach the semantic level.
            advance: Told of all texts when a level is done.
        """
        if embed is None and "semantic" in self.levels:
            raise ConfigError(
                "The semantic level needs embeddings: give `embed`, or leave it out of `levels`."
            )
        kept = np.arange(len(texts))
        done: list[Removals] = []
        for level in self.levels:
            found = self.search(level, texts, kept, embed)
            done.append(Removals.of(level, kept[found.row], kept[found.through], found.score))
            kept = kept[kept_rows(len(kept), found)]
            advance(len(texts))
        return Deduplicated(kept, joined(done))

    @abstractmethod
    def check(self) -> None:
        """Raise what is to be said where something that it needs is not here."""

    @abstractmethod
    def ready(self) -> AbstractContextManager[object]:
        """Hold what all calls need."""

    @abstractmethod
    def search(
        self, level: Level, texts: Sequence[str], kept: NDArray[np.int64], embed: Embed | None
    ) -> Removals:
        """Find the duplicates of one level among the rows `kept`, numbered as they stand there."""


@final
class Deduplication(Deduplicator):
    """Exact, fuzzy and semantic deduplication on this machine.

    The defaults are those of NVIDIA NeMo-Curator, which MegaStyle names without its settings. Deviation: the
    exact and the fuzzy level compare texts without regard to case, spaces and punctuation, and which rows
    come down to which is the same in every run.

    Args:
        levels: Which to run, in the order exact, fuzzy, semantic.
        char_ngrams: Characters of a shingle.
        num_bands: Bands of a MinHash signature.
        minhashes_per_band: Minima of a band.
        n_clusters: Of k-means at the semantic level, at most.
        eps: How far below 1 a cosine is still that of duplicates.
        which_to_keep: At the semantic level: the row farthest from its cluster's centre ("hard"), nearest
            ("easy"), or any ("random"); at the others it is the first.
        chains: Whether duplicates of duplicates are duplicates, as in NeMo-Curator. In a dense pool that
            takes out rows that are nothing like what stays; else each is as alike as the level demands.
        seed: Of all that is drawn.
    """

    @bounded
    def __init__(
        self,
        levels: Sequence[Level] = LEVELS,
        char_ngrams: Positive = 24,
        num_bands: Positive = 20,
        minhashes_per_band: Positive = 13,
        n_clusters: Positive = 100,
        eps: Fraction = 0.01,
        which_to_keep: Keep = "hard",
        chains: bool = True,
        seed: int = 42,
    ) -> None:
        super().__init__(levels)
        self.char_ngrams = char_ngrams
        self.num_bands = num_bands
        self.minhashes_per_band = minhashes_per_band
        self.n_clusters = n_clusters
        self.eps = eps
        self.which_to_keep = which_to_keep
        self.chains = chains
        self.seed = seed

    def check(self) -> None:
        """Need nothing."""

    def ready(self) -> AbstractContextManager[object]:
        return nullcontext()

    def search(
        self, level: Level, texts: Sequence[str], kept: NDArray[np.int64], embed: Embed | None
    ) -> Removals:
        if level == "semantic":
            assert embed is not None
            return semantic_duplicates(
                embed(kept), self.n_clusters, self.eps, self.which_to_keep, self.seed, self.chains
            )
        some = [texts[row] for row in kept.tolist()]
        if level == "exact":
            return exact_duplicates(some)
        return fuzzy_duplicates(
            some, self.char_ngrams, self.num_bands, self.minhashes_per_band, self.seed, self.chains
        )
