"""How deduplication and balancing of prompts grow: `python tests/performance/curation_scale.py 10000 100000`.

Writes results/curation_scale.json, one entry for each size; what was measured at other sizes stays. Every arm
is a process of its own. The prompts come from the atelier's grammar with known duplicates; their embeddings
are sums of a random vector for each word, so that a million can be had at once, but for the arm `minilm`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from stylekit.curation.balancing import balanced_sample
from stylekit.curation.deduplication import Deduplication
from stylekit.curation.exact import normalised
from stylekit.curation.figures import balance_figures, duplicate_figures
from stylekit.curation.hierarchy import build_hierarchy
from stylekit.curation.kmeans import kmeans, nearest
from stylekit.curation.prompt_pool import PromptPool, make_prompt_pool
from stylekit.run import environment, now, peak_memory

RESULTS = Path(__file__).parent / "results" / "curation_scale.json"
WIDTH = 384
MINILM_UP_TO = 10_000
"""Embedding more takes hours on a core."""
FULL_UP_TO = 100_000
"""Beyond, the k-means of others run one iteration, which takes them long enough."""
_EXAMINED = 20_000


def word_vectors(texts: list[str]) -> NDArray[np.float32]:
    """Sum a random vector for each word that is not in most texts, and normalise."""
    known: dict[str, int] = {}
    split = [[known.setdefault(word, len(known)) for word in normalised(text).split()] for text in texts]
    ends = np.cumsum([0, *map(len, split)])
    columns = np.concatenate([np.array(row, dtype=np.int32) for row in split])
    weights = (np.bincount(columns) < len(texts) / 2).astype(np.float32)
    counts = csr_array((weights[columns], columns, ends), shape=(len(texts), len(known)))
    vectors = np.random.default_rng(0).standard_normal((len(known), WIDTH), dtype=np.float32)
    found: NDArray[np.float32] = counts @ vectors
    found /= np.sqrt(np.einsum("ij,ij->i", found, found))[:, None]
    return found


def levels_of(size: int) -> tuple[int, ...]:
    """Return MegaStyle's levels, 50K, 10K, 5K and 1K of a million, of another size."""
    return tuple(size // points for points in (20, 100, 200, 1_000))


@contextmanager
def timed(found: dict[str, Any], name: str) -> Iterator[None]:
    """Note the seconds, and those of the processor, which a busy machine changes less."""
    began, worked = time.perf_counter(), time.process_time()
    yield
    found[f"{name}_seconds"] = round(time.perf_counter() - began, 2)
    found[f"{name}_cpu_seconds"] = round(time.process_time() - worked, 2)


def deduplicate(pool: PromptPool, chains: bool, embed: Callable[[list[str]], Any]) -> dict[str, Any]:
    """Run the three levels and hold them against the truth."""
    found: dict[str, Any] = {}
    embedded: dict[str, Any] = {}

    def embed_rows(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        with timed(embedded, "embedding"):
            return np.asarray(embed([pool.texts[row] for row in rows.tolist()]))

    with timed(found, "all"):
        kept, removals = Deduplication(chains=chains)(pool.texts, embed_rows)
    for kind in ("seconds", "cpu_seconds"):  # what embedding costs is another question
        found[f"all_{kind}"] = round(found[f"all_{kind}"] - embedded[f"embedding_{kind}"], 2)
    lowest = {level: float(removals.score[removals.level == level].min()) for level in set(removals.level)}
    figures = duplicate_figures(pool, removals)
    for level, values in figures.items():
        values["lowest_score"] = lowest[level]
    return {**found, **embedded, "kept": len(kept), "levels": figures}


def with_minilm(pool: PromptPool) -> dict[str, Any]:
    """Deduplicate with all-MiniLM-L6-v2, chained and not."""
    from stylekit.curation.text_embedder import TextEmbedder

    embedder = TextEmbedder()
    cache: dict[str, NDArray[np.float32]] = {}

    def embed(texts: list[str]) -> NDArray[np.float32]:
        new = [text for text in texts if text not in cache]
        cache.update(zip(new, embedder(new), strict=True))
        return np.stack([cache[text] for text in texts])

    found = deduplicate(pool, chains=True, embed=embed)
    rate = len(cache) / found["embedding_cpu_seconds"]
    return {
        **found,
        "texts_per_cpu_second": rate,
        "without_chains": deduplicate(pool, False, embed)["levels"],
    }


def datasketch_loop(pool: PromptPool) -> dict[str, Any]:
    """Deduplicate as datasketch's documentation does it: query the index, insert what is new."""
    from datasketch import MinHash, MinHashLSH

    found: dict[str, Any] = {}
    removed = 0
    with timed(found, "all"):
        index = MinHashLSH(num_perm=260, params=(20, 13))
        for row, text in enumerate(pool.texts):
            said = normalised(text)
            signature = MinHash(num_perm=260, seed=42)
            signature.update_batch([said[at : at + 24].encode() for at in range(max(1, len(said) - 23))])
            if index.query(signature):
                removed += 1
            else:
                index.insert(row, signature)
    return {**found, "removed": removed}


def balance(pool: PromptPool) -> dict[str, Any]:
    """Build the hierarchy and draw 17 of 100 rows."""
    points = word_vectors(pool.texts)
    found: dict[str, Any] = {}
    with timed(found, "all"):
        with timed(found, "hierarchy"):
            hierarchy = build_hierarchy(points, levels_of(len(points)))
        kept = balanced_sample(hierarchy, round(0.17 * len(points)))
    return {**found, "kept": len(kept), "levels": balance_figures(hierarchy, kept)}


def our_kmeans(pool: PromptPool) -> dict[str, Any]:
    """Run the lowest level alone."""
    points = word_vectors(pool.texts)
    found: dict[str, Any] = {}
    with timed(found, "all"):
        clusters = kmeans(points, levels_of(len(points))[0])
    some = _examined(points)
    labels, distances = nearest(points[some], clusters.centroids)
    missed = float((labels != clusters.labels[some]).mean())
    return {**found, "mean_distance": float(distances.mean()), "not_at_the_nearest": missed}


def faiss_kmeans(pool: PromptPool) -> dict[str, Any]:
    """Run faiss.Kmeans on all points."""
    import faiss

    points = word_vectors(pool.texts)
    rounds = 10 if len(points) <= FULL_UP_TO else 1
    found: dict[str, Any] = {"iterations": rounds}
    with timed(found, "all"):
        clusters = faiss.Kmeans(
            WIDTH, levels_of(len(points))[0], niter=rounds, seed=0, max_points_per_centroid=len(points)
        )
        clusters.train(points)
        if len(points) <= FULL_UP_TO:
            clusters.assign(points)
    _, distances = nearest(points[_examined(points)], clusters.centroids)
    return {**found, "mean_distance": float(distances.mean())}


def minibatch_kmeans(pool: PromptPool) -> dict[str, Any]:
    """Run scikit-learn's MiniBatchKMeans by its defaults; beyond, one pass from random centroids."""
    from sklearn.cluster import MiniBatchKMeans

    points = word_vectors(pool.texts)
    limits = {} if len(points) <= FULL_UP_TO else {"init": "random", "max_iter": 1}
    found: dict[str, Any] = {}
    with timed(found, "all"):
        clusters = MiniBatchKMeans(levels_of(len(points))[0], random_state=0, **limits).fit(points)
    _, distances = nearest(points[_examined(points)], clusters.cluster_centers_.astype(np.float32))
    return {**found, "passes": int(clusters.n_iter_), "mean_distance": float(distances.mean())}


ARMS: dict[str, Callable[[PromptPool], dict[str, Any]]] = {
    "deduplicate": partial(deduplicate, chains=True, embed=word_vectors),
    "deduplicate_without_chains": partial(deduplicate, chains=False, embed=word_vectors),
    "minilm": with_minilm,
    "datasketch_loop": datasketch_loop,
    "balance": balance,
    "kmeans": our_kmeans,
    "faiss_kmeans": faiss_kmeans,
    "minibatch_kmeans": minibatch_kmeans,
}


def measure(arm: str, size: int) -> dict[str, Any]:
    """Measure one arm in this process."""
    found: dict[str, Any] = {}
    with timed(found, "pool"):
        pool = make_prompt_pool(size)
    measured = ARMS[arm](pool)
    return {"arm": arm, **measured, **found, "peak_gb": round(peak_memory() / 2**30, 2)}


def run(sizes: list[int], arms: list[str]) -> None:
    """Measure each arm at each size in a process of its own and keep what it finds."""
    # told to keep what is freed, the allocator would show the memory of nothing
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    for size in sizes:
        for arm in arms:
            if arm == "minilm" and size > MINILM_UP_TO:
                continue
            command = [sys.executable, __file__, "--measure", arm, str(size)]
            ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=clean)
            found = json.loads(ran.stdout.splitlines()[-1])
            print(
                size, arm, {key: value for key, value in found.items() if not isinstance(value, (dict, list))}
            )
            known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
            entry = {**found, "threads": os.environ.get("OMP_NUM_THREADS", "all"), "cores": os.cpu_count()}
            known.setdefault(str(size), {})[arm] = {**entry, "date": now(), "environment": environment()}
            RESULTS.write_text(json.dumps(_rounded(known), indent=2) + "\n")


def _examined(points: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.random.default_rng(1).choice(len(points), min(len(points), _EXAMINED), replace=False)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]))))
    else:
        words = sys.argv[1:] or ["10000", "100000"]
        run([int(word) for word in words if word.isdigit()], [w for w in words if w in ARMS] or list(ARMS))
