"""Baselines: measured once on a board and kept, so that every run can be compared with them."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stylekit.benchmarks import Benchmark, BenchmarkResult, Scores
from stylekit.code_digest import code_digest
from stylekit.method import StyleMethod
from stylekit.run import write_atomically

__all__ = ["measure_baseline"]


def measure_baseline(
    benchmark: Benchmark[Any],
    method: StyleMethod,
    weights: str,
    settings: Mapping[str, Any],
    kept_in: Path,
    boards: Mapping[str, Any],
) -> BenchmarkResult:
    """Run a benchmark on a method, or read what was measured of the very same before.

    The very same means: boards equal pixel for pixel, equal settings of benchmark and method, equal weights,
    equal code. `weights` is the digest of the method's.
    """
    parts = [json.dumps([settings, boards], sort_keys=True), weights, code_digest(type(method))]
    path = kept_in / f"{benchmark.name}-{hashlib.sha256(repr(parts).encode()).hexdigest()[:16]}.json"
    if path.is_file():
        kept = json.loads(path.read_text())
        return BenchmarkResult({name: Scores(**one) for name, one in kept["scores"].items()}, kept["boards"])
    result = benchmark.run(method)
    kept = {
        "scores": {name: dataclasses.asdict(one) for name, one in result.scores.items()},
        "boards": result.boards,
    }
    write_atomically(path, json.dumps(kept) + "\n")
    return result
