"""The step that gives each prompt a vector of what it means."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import final

import numpy as np
import pyarrow as pa

from stylekit.bounds import AboveZero, bounded
from stylekit.curation.estimate import Rate
from stylekit.curation.failure import rejects_table
from stylekit.curation.step import RowStep
from stylekit.curation.text_embedder import Embedder
from stylekit.errors import MissingError
from stylekit.file_digest import files_digest

__all__ = ["Encode"]


@final
class Encode(RowStep):
    """Adds a column `vector`, for what compares prompts by meaning: deduplication and balance.

    Args:
        embedder: Of texts; `_partial_: true`, so that it loads where it is used.
        prompts_per_second: Of one worker, for estimates.
    """

    not_in_digest = frozenset({"prompts_per_second"})

    @bounded
    def __init__(self, embedder: Callable[[], Embedder], prompts_per_second: AboveZero | None = None) -> None:
        self.embedder, self.rate = embedder, Rate(prompts_per_second)
        self._loaded: Embedder | None = None

    def check(self) -> None:
        self._files()

    def inputs(self) -> str:
        try:
            return files_digest(self._files())
        except MissingError:  # `check` says it
            return ""

    def __call__(self, table: pa.Table) -> tuple[pa.Table, pa.Table]:
        if self._loaded is None:
            self._loaded = self.embedder()
        encoded = table["prompt"].combine_chunks().dictionary_encode()  # many are there twice
        vectors = self._loaded(encoded.dictionary.to_pylist())[encoded.indices.to_numpy()]
        column = pa.FixedSizeListArray.from_arrays(pa.array(np.ravel(vectors)), vectors.shape[1])
        return table.append_column("vector", column), rejects_table([])

    def _files(self) -> list[Path]:
        made = self.embedder
        if isinstance(made, partial) and isinstance(made.func, type) and issubclass(made.func, Embedder):
            return made.func.files(**made.keywords)
        return []

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_loaded": None}
