"""What lies beside a result: its scores style by style, and what a report shows. One .npz file.

The result itself is small enough to be committed and read; this is for pairing results with one another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stylekit.errors import DataError
from stylekit.run import replacing

__all__ = ["Details", "read_details", "write_details"]


@dataclass(frozen=True)
class Details:
    """The scores and exhibits of one result."""

    scores: dict[str, NDArray[np.float64]]
    """Of each metric: one row a seed, one column a style."""
    clusters: dict[str, NDArray[np.int64]]
    exhibits: dict[str, NDArray[Any]]
    """Of the first seed."""


def write_details(
    path: Path,
    scores: Mapping[str, Sequence[Sequence[float]]],
    clusters: Mapping[str, Sequence[int]],
    exhibits: Mapping[str, NDArray[Any]],
) -> None:
    """Write them atomically."""
    arrays: dict[str, Any] = {f"scores/{name}": np.asarray(rows) for name, rows in scores.items()}
    arrays |= {f"clusters/{name}": np.asarray(values) for name, values in clusters.items()}
    arrays |= {f"exhibits/{name}": values for name, values in exhibits.items()}
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)


def read_details(result_path: Path) -> Details:
    """Read what lies beside a result."""
    path = result_path.with_suffix(".npz")
    if not path.is_file():
        raise DataError(f"Beside {result_path} there is no {path.name}; run `stylekit evaluate` once more.")
    parts: dict[str, dict[str, NDArray[Any]]] = {"scores": {}, "clusters": {}, "exhibits": {}}
    with np.load(path, allow_pickle=False) as arrays:
        for name in arrays.files:
            kind, _, rest = name.partition("/")
            parts[kind][rest] = arrays[name]
    return Details(**parts)
