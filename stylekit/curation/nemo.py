"""Deduplication by NVIDIA NeMo-Curator, on GPUs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray

from stylekit.bounds import Fraction, Positive, bounded
from stylekit.curation.deduplication import Deduplicator, Embed
from stylekit.curation.exact import normalised
from stylekit.curation.minhash import jaccard
from stylekit.curation.removals import LEVELS, Level, Removals
from stylekit.curation.semantic import Keep, UnitRows, cluster_count, ends_of, pair_cosines
from stylekit.errors import ConfigError, DataError, MissingError

__all__ = ["NemoDeduplication"]

_ID = "_curator_dedup_id"  # what its workflows call the number that they give a row
_GROUP = "_duplicate_group_id"
_ROWS_PER_FILE = 2**17
_BANDS_AT_ONCE = 5  # its default, which must not be more than there are


@final
class NemoDeduplication(Deduplicator):
    """Exact, fuzzy and semantic deduplication by the workflows of NeMo-Curator (1.4, extra `nemo`).

    It tells which rows go. What each goes for is found here: at the exact level the row that stays of equal
    texts, at the fuzzy level that of its connected component, at the semantic level the end of the chain of
    alike rows that it names; the scores are computed here. Which row of a group stays is its choice, and may
    be another in another run. Duplicates of duplicates are duplicates. Texts are normalised before it sees
    them.

    Not run on a GPU by this project: tried against a stand-in that has its signatures and writes its files.

    Args:
        levels: Which to run, in the order exact, fuzzy, semantic.
        char_ngrams: Characters of a shingle.
        num_bands: Bands of a MinHash signature.
        minhashes_per_band: Minima of a band.
        n_clusters: Of k-means at the semantic level, at most.
        eps: How far below 1 a cosine is still that of duplicates.
        which_to_keep: At the semantic level: the row farthest from its cluster's centre ("hard"), nearest
            ("easy"), or any ("random").
        folder: For its files, where all nodes of the Ray cluster reach them; null for one of this machine.
            The cluster is that of RAY_ADDRESS, or one that is started here.
        seed: Of all that is drawn.
    """

    not_in_digest = frozenset({"folder"})

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
        folder: str | None = None,
        seed: int = 42,
    ) -> None:
        super().__init__(levels)
        self.char_ngrams, self.num_bands = char_ngrams, num_bands
        self.minhashes_per_band = minhashes_per_band
        self.n_clusters, self.eps, self.which_to_keep = n_clusters, eps, which_to_keep
        self.folder, self.seed = Path(folder).expanduser() if folder else None, seed

    def check(self) -> None:
        if self.folder and not self.folder.is_dir():
            raise ConfigError(
                f"There is no folder {self.folder} for the files of NeMo-Curator: make it, or set "
                "deduplication.folder to one that all nodes of the Ray cluster reach."
            )
        if "RAY_ADDRESS" not in os.environ and not torch.cuda.is_available():
            raise ConfigError(
                "NeMo-Curator deduplicates on a GPU with CUDA, and there is none here. Run this step where "
                "there is one, set RAY_ADDRESS to a cluster that has some, or set deduplication._target_ to "
                "stylekit.curation.deduplication.Deduplication, which needs none."
            )
        try:
            import ray  # noqa: F401
            from nemo_curator.core.client import RayClient  # noqa: F401
            from nemo_curator.stages.deduplication.exact.workflow import ExactDeduplicationWorkflow  # noqa: F401
        except ImportError as error:
            raise MissingError(
                f"NeMo-Curator is not installed as a whole ({error}): "
                "pip install 'stylekit[nemo]', with the package index that its installation page names."
            ) from error

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Hold a Ray cluster: its workflows begin and end their sessions in it."""
        self.check()
        import ray
        from nemo_curator.core.client import RayClient

        ray.shutdown()  # the session of an engine, which begins one again when it needs it
        with RayClient(include_dashboard=False):
            yield

    def search(
        self, level: Level, texts: Sequence[str], kept: NDArray[np.int64], embed: Embed | None
    ) -> Removals:
        with TemporaryDirectory(dir=self.folder, prefix="nemo-") as name:
            folder = Path(name)
            if level == "semantic":
                assert embed is not None
                return self._semantic(UnitRows(embed(kept)), folder)
            # surrogates without their other half have no place in Parquet
            plain = (normalised(texts[row]).encode("utf-8", "backslashreplace") for row in kept.tolist())
            said = [text.decode() for text in plain]
            _write(
                folder, 0, {"id": pa.array(range(len(said)), pa.int64()), "text": pa.array(said, pa.string())}
            )
            return self._exact(said, folder) if level == "exact" else self._fuzzy(said, folder)

    def _exact(self, said: Sequence[str], folder: Path) -> Removals:
        from nemo_curator.stages.deduplication.exact.workflow import ExactDeduplicationWorkflow

        ExactDeduplicationWorkflow(
            input_path=str(folder / "input"),
            output_path=str(folder / "output"),
            assign_id=False,
            id_field="id",
            text_field="text",
        ).run()
        gone = np.sort(_column(folder / "output" / "ExactDuplicateIds", "id"))
        group = pa.array(said, pa.string()).dictionary_encode().indices.to_numpy()
        through = _staying(group.astype(np.int64), gone)
        return Removals.of("exact", gone, through, np.ones(len(gone), dtype=np.float32))

    def _fuzzy(self, said: Sequence[str], folder: Path) -> Removals:
        from nemo_curator.stages.deduplication.fuzzy.workflow import FuzzyDeduplicationWorkflow

        FuzzyDeduplicationWorkflow(
            input_path=str(folder / "input"),
            cache_path=str(folder / "cache"),
            output_path=str(folder / "output"),
            text_field="text",
            seed=self.seed,
            char_ngrams=self.char_ngrams,
            num_bands=self.num_bands,
            minhashes_per_band=self.minhashes_per_band,
            bands_per_iteration=min(_BANDS_AT_ONCE, self.num_bands),
        ).run()
        _check_numbers(folder / "output" / "fuzzy_id_generator.json", len(said))
        gone = np.sort(_column(folder / "output" / "FuzzyDuplicateIds", _ID))
        group = -1 - np.arange(len(said))  # of a row without any like it, its own
        components = folder / "cache" / "ConnectedComponentsStage"
        group[_column(components, _ID)] = _column(components, _GROUP)
        through = _staying(group, gone)
        pairs = zip(gone.tolist(), through.tolist(), strict=True)
        scores = [jaccard(said[row], said[other], self.char_ngrams) for row, other in pairs]
        return Removals.of("fuzzy", gone, through, np.array(scores, dtype=np.float32))

    def _semantic(self, rows: UnitRows, folder: Path) -> Removals:
        from nemo_curator.stages.deduplication.semantic.workflow import SemanticDeduplicationWorkflow

        for number, at in enumerate(range(0, len(rows), _ROWS_PER_FILE)):
            some = rows[at : at + _ROWS_PER_FILE]
            vectors = pa.ListArray.from_arrays(
                np.arange(0, some.size + 1, some.shape[1], dtype=np.int32), np.ravel(some)
            )
            _write(
                folder, number, {"id": pa.array(range(at, at + len(some)), pa.int64()), "embeddings": vectors}
            )
        SemanticDeduplicationWorkflow(
            input_path=str(folder / "input"),
            cache_path=str(folder / "cache"),
            output_path=str(folder / "output"),
            n_clusters=cluster_count(len(rows), self.n_clusters),
            id_field="id",
            embedding_field="embeddings",
            random_state=self.seed,
            which_to_keep=self.which_to_keep,
            eps=self.eps,
            verbose=False,
            pairwise_compute_dtype="float32",  # as here: in its float16, one minus 0.01 is no exact number
            kmeans_embedding_output_dtype="float32",
        ).run()
        gone = np.sort(_column(folder / "output" / "duplicates", "id"))
        alike = np.arange(len(rows))
        pairs = folder / "cache" / "pairwise_results"
        alike[_column(pairs, "id")] = _column(pairs, "max_id")
        stays = np.ones(len(rows), dtype=bool)
        stays[gone] = False
        alike[stays] = np.flatnonzero(stays)
        alike = ends_of(alike)
        return Removals.of("semantic", gone, alike[gone], pair_cosines(rows, gone, alike[gone]))


def _write(folder: Path, number: int, columns: dict[str, pa.Array]) -> None:
    (folder / "input").mkdir(exist_ok=True)
    pq.write_table(pa.table(columns), folder / "input" / f"part-{number:05d}.parquet")


def _column(folder: Path, name: str) -> NDArray[np.int64]:
    """Read a column of whole numbers from all files of a folder; there is none where there is no folder."""
    files = sorted(folder.glob("*.parquet"))
    found = [pq.read_table(file, columns=[name], partitioning=None)[name].to_numpy() for file in files]
    return np.concatenate([np.empty(0, dtype=np.int64), *found]).astype(np.int64)


def _check_numbers(file: Path, count: int) -> None:
    """Raise DataError unless rows were numbered from 0 in the order in which they were written."""
    batches = list(json.loads(file.read_text())["batch_registry"].values())
    if batches != [[0, count - 1]]:
        raise DataError(f"NeMo-Curator numbered {count} rows as {batches}: they cannot be told apart.")


def _staying(group: NDArray[np.int64], gone: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each row that goes the first of its group that stays."""
    staying = np.setdiff1d(np.arange(len(group)), gone)
    names, first = np.unique(group[staying], return_index=True)
    at = np.searchsorted(names, group[gone])
    if (at == len(names)).any() or (names[at] != group[gone]).any():
        raise DataError("NeMo-Curator removed rows that nothing stays for.")
    return staying[first[at]]
