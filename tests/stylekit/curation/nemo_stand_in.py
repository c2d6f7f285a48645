"""What stands in for NeMo-Curator: the signatures of its workflows (1.4.0), and files as they write them.

Which row of a group stays is drawn, as there the order of a shuffle decides it.
"""

from __future__ import annotations

import json
import sys
import types
import uuid
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stylekit.curation.fuzzy import components
from stylekit.curation.minhash import band_hashes

CALLS: list[tuple[str, dict[str, Any]]] = []
"""What was made and run, with its settings."""


class RayClient:
    def __init__(
        self,
        ray_port: int = 6379,
        ray_dashboard_port: int = 8265,
        ray_client_server_port: int = 10001,
        ray_temp_dir: str = "/tmp/ray",
        include_dashboard: bool = True,
        ray_metrics_port: int = 8080,
        ray_dashboard_host: str = "127.0.0.1",
        num_gpus: int | None = None,
        num_cpus: int | None = None,
        object_store_memory: int | None = None,
        enable_object_spilling: bool = False,
        ray_stdouterr_capture_file: str | None = None,
        metrics_dir: str | None = None,
    ) -> None:
        self.include_dashboard = include_dashboard

    def __enter__(self) -> RayClient:
        CALLS.append(("cluster begins", {"include_dashboard": self.include_dashboard}))
        return self

    def __exit__(self, *exc: object) -> None:
        CALLS.append(("cluster ends", {}))


class ExactDeduplicationWorkflow:
    def __init__(
        self,
        output_path: str,
        input_path: str | list[str] | None = None,
        input_filetype: Literal["jsonl", "parquet"] = "parquet",
        input_blocksize: str | int = "2GiB",
        identification_batchsize: int = 1,
        input_file_extensions: list[str] | None = None,
        read_kwargs: dict[str, Any] | None = None,
        write_kwargs: dict[str, Any] | None = None,
        assign_id: bool = True,
        id_field: str | None = None,
        text_field: str = "text",
        normalize_text: bool = False,
        perform_removal: bool = False,
        total_nparts: int | None = None,
        rmm_pool_size: int | Literal["auto"] | None = "auto",
        spill_memory_limit: int | Literal["auto"] | None = "auto",
        env_vars: dict[str, Any] | None = None,
        use_async_memory: bool = True,
    ) -> None:
        assert not assign_id, "not needed here"
        self.settings = locals()

    def run(self, initial_tasks: list[Any] | None = None, executor: Any = None) -> None:
        told = _told("exact", self.settings)
        rows = _rows(told["input_path"], [told["id_field"], told["text_field"]])
        texts = np.unique(np.array(rows[told["text_field"]].to_pylist()), return_inverse=True)[1]
        gone = _all_but_one(texts)
        found = np.sort(np.array(rows[told["id_field"]].to_pylist())[gone])
        _write_parts(Path(told["output_path"]) / "ExactDuplicateIds", told["id_field"], found)


class FuzzyDeduplicationWorkflow:
    first_id = 0

    def __init__(
        self,
        cache_path: str,
        output_path: str,
        input_path: str | list[str] | None = None,
        input_filetype: Literal["jsonl", "parquet"] = "parquet",
        input_blocksize: str | int = "1GiB",
        input_file_extensions: list[str] | None = None,
        read_kwargs: dict[str, Any] | None = None,
        cache_kwargs: dict[str, Any] | None = None,
        write_kwargs: dict[str, Any] | None = None,
        text_field: str = "text",
        perform_removal: bool = False,
        seed: int = 42,
        char_ngrams: int = 24,
        num_bands: int = 20,
        minhashes_per_band: int = 13,
        use_64_bit_hash: bool = False,
        normalize_text: bool = False,
        bands_per_iteration: int = 5,
        lsh_num_output_partitions: int | None = None,
        lsh_rmm_pool_size: int | Literal["auto"] | None = "auto",
        lsh_spill_memory_limit: int | Literal["auto"] | None = "auto",
        env_vars: dict[str, Any] | None = None,
        use_async_memory: bool = True,
    ) -> None:
        assert 1 <= bands_per_iteration <= num_bands
        self.settings = locals()

    def run(self, initial_tasks: list[Any] | None = None, executor: Any = None) -> None:
        told = _told("fuzzy", self.settings)
        texts = _rows(told["input_path"], [told["text_field"]])[told["text_field"]].to_pylist()
        output, cache = Path(told["output_path"]), Path(told["cache_path"])
        output.mkdir(parents=True)
        ids = np.arange(len(texts)) + self.first_id
        registry = {str(uuid.uuid4()): [int(ids[0]), int(ids[-1])]}
        known = {"next_id": int(ids[-1]) + 1, "batch_registry": registry}
        (output / "fuzzy_id_generator.json").write_text(json.dumps(known))
        bands = band_hashes(
            texts, told["char_ngrams"], told["num_bands"], told["minhashes_per_band"], told["seed"]
        )
        group = components(bands)
        linked = np.flatnonzero(np.bincount(group, minlength=len(group))[group] > 1)
        if not len(linked):
            return
        linked = np.random.default_rng(1).permutation(linked)
        names = {"_curator_dedup_id": ids[linked], "_duplicate_group_id": group[linked] + 1_000}
        (cache / "ConnectedComponentsStage").mkdir(parents=True)
        pq.write_table(pa.table(names), cache / "ConnectedComponentsStage" / "task.parquet")
        _write_parts(output / "FuzzyDuplicateIds", "_curator_dedup_id", np.sort(ids[_all_but_one(group)]))


class SemanticDeduplicationWorkflow:
    def __init__(
        self,
        input_path: str | list[str],
        output_path: str,
        n_clusters: int,
        cache_path: str | None = None,
        id_field: str = "id",
        embedding_field: str = "embeddings",
        metadata_fields: list[str] | None = None,
        input_filetype: Literal["parquet", "jsonl"] = "parquet",
        input_file_extensions: list[str] | None = None,
        max_iter: int = 300,
        tol: float = 1e-4,
        random_state: int = 42,
        init: Any = "k-means||",
        n_init: int | Literal["auto"] = 1,
        oversampling_factor: float = 2.0,
        max_samples_per_batch: int = 1 << 15,
        fit_data_fraction: float | None = None,
        distance_metric: Literal["cosine", "l2"] = "cosine",
        which_to_keep: Literal["hard", "easy", "random"] = "hard",
        ranking_strategy: Any = None,
        pairwise_batch_size: int = 1024,
        eps: float | None = None,
        _duplicates_num_row_groups_hint: int | None = None,
        read_kwargs: dict[str, Any] | None = None,
        cache_kwargs: dict[str, Any] | None = None,
        write_kwargs: dict[str, Any] | None = None,
        clear_output: bool = True,
        verbose: bool = True,
        pairwise_compute_dtype: str = "float16",
        kmeans_embedding_output_dtype: str = "float16",
    ) -> None:
        self.settings = locals()

    def run(self, kmeans_executor: Any = None, pairwise_executor: Any = None) -> None:
        """Compare as in one cluster, and write as of two."""
        told = _told("semantic", self.settings)
        table = _rows(told["input_path"], [told["id_field"], told["embedding_field"]])
        ids = np.array(table[told["id_field"]].to_pylist())
        rows = np.array(table[told["embedding_field"]].to_pylist(), dtype=np.float32)
        away = ((rows - rows.mean(axis=0)) ** 2).sum(axis=1)
        order = np.argsort(-away if told["which_to_keep"] == "hard" else away, kind="stable")
        cosines = np.tril(rows[order] @ rows[order].T, k=-1)
        best = cosines.argmax(axis=1)
        score = cosines[np.arange(len(rows)), best]
        pairs = {"id": ids[order], "max_id": ids[order[best]], "cosine_sim_score": score}
        cache, output = (
            Path(told["cache_path"]) / "pairwise_results",
            Path(told["output_path"]) / "duplicates",
        )
        cache.mkdir(parents=True)
        for number in range(2):
            some = {name: values[number::2] for name, values in pairs.items()}
            pq.write_table(pa.table(some), cache / f"cluster_{number}.parquet")
        _write_parts(output, "id", np.sort(ids[order][score >= 1.0 - told["eps"]]))


def install(monkeypatch: Any) -> None:
    """Let it be imported, and let there be a GPU."""
    CALLS.clear()
    places = {
        "nemo_curator.core.client": RayClient,
        "nemo_curator.stages.deduplication.exact.workflow": ExactDeduplicationWorkflow,
        "nemo_curator.stages.deduplication.fuzzy.workflow": FuzzyDeduplicationWorkflow,
        "nemo_curator.stages.deduplication.semantic.workflow": SemanticDeduplicationWorkflow,
    }
    for name, cls in places.items():
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            whole = ".".join(parts[:end])
            if whole not in sys.modules:
                monkeypatch.setitem(sys.modules, whole, types.ModuleType(whole))
        monkeypatch.setattr(sys.modules[name], cls.__name__, cls, raising=False)
    ray = types.ModuleType("ray")
    ray.shutdown = lambda: CALLS.append(("session ends", {}))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)


def _told(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    told = {key: value for key, value in settings.items() if key != "self"}
    CALLS.append((name, told))
    return told


def _rows(path: str, columns: list[str]) -> pa.Table:
    files = sorted(Path(path).glob("*.parquet"))
    return pa.concat_tables([pq.read_table(file, columns=columns, partitioning=None) for file in files])


def _all_but_one(group: np.ndarray) -> np.ndarray:
    """Mark all rows of each group but the one that a shuffle put first."""
    order = np.random.default_rng(0).permutation(len(group))
    _, first = np.unique(group[order], return_index=True)
    gone = np.ones(len(group), dtype=bool)
    gone[order[first]] = False
    return gone


def _write_parts(folder: Path, name: str, ids: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for number, part in enumerate((ids[1::2], ids[::2])):
        pq.write_table(pa.table({name: pa.array(part, pa.int64())}), folder / f"part.{number}.parquet")
