"""How well a division of an image into regions agrees with another, on tables of shared pixels."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["adjusted_rand_index", "best_ious", "contingency", "matched_ious"]


def contingency(truth: Int[Tensor, "*p"], found: Int[Tensor, "*p"]) -> Int[Tensor, "t f"]:
    """Count the pixels that each true region (row) shares with each found one, both in ascending order."""
    rows, columns = (torch.unique(one, return_inverse=True)[1].flatten() for one in (truth, found))
    num_rows, num_columns = int(rows.max()) + 1, int(columns.max()) + 1
    counts = torch.bincount(rows * num_columns + columns, minlength=num_rows * num_columns)
    return counts.view(num_rows, num_columns)


def adjusted_rand_index(table: Int[Tensor, "t f"]) -> float:
    """Return how often two pixels are together in both or in neither, corrected for chance.

    Hubert and Arabie 1985; 1 for the same division, 0 on average for one at random. Two divisions that both
    leave no choice, of one region or of single pixels, agree.
    """
    together = _pairs(table).sum()
    rows, columns, all_pairs = _pairs(table.sum(1)).sum(), _pairs(table.sum(0)).sum(), _pairs(table.sum())
    expected, most = rows * columns / all_pairs, (rows + columns) / 2
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def best_ious(table: Int[Tensor, "t f"]) -> Float[Tensor, " t"]:
    """Return for each true region its IoU with the found region that fits it best."""
    return _ious(table).amax(1)


def matched_ious(table: Int[Tensor, "t f"]) -> Float[Tensor, " t"]:
    """Return for each true region its IoU with the one that is assigned to it, 0 where none is left.

    One to one, such that the sum is largest (the Hungarian method).
    """
    from scipy.optimize import linear_sum_assignment

    ious = _ious(table)
    rows, columns = linear_sum_assignment(ious.numpy(), maximize=True)
    found = torch.zeros(len(ious), dtype=ious.dtype)
    found[rows] = ious[rows, columns]
    return found


def _ious(table: Int[Tensor, "t f"]) -> Float[Tensor, "t f"]:
    """Return the share that each true and each found region have in common of what they cover together."""
    shared = table.double()
    return shared / (shared.sum(1, keepdim=True) + shared.sum(0, keepdim=True) - shared)


def _pairs(counts: Tensor) -> Tensor:
    return counts.double() * (counts.double() - 1) / 2
