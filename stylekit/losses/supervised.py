"""Supervised contrast."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["supervised_contrast"]


def supervised_contrast(
    z: Float[Tensor, "n d"], labels: Int[Tensor, " n"], temperature: float = 0.07
) -> Float[Tensor, ""]:
    """Pull rows of one label together (SupCon, arXiv 2004.11362, eq. 2).

    L = mean_i -1/|P(i)| sum_{p in P(i)} log( exp(z_i.z_p/tau) / sum_{a != i} exp(z_i.z_a/tau) ) over the rows
    i that have positives P(i), the other rows of the same label; without any, zero.
    """
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    positive = (labels[:, None] == labels) & ~itself
    logits = (z @ z.T / temperature).masked_fill(itself, float("-inf"))
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    num_positives = positive.sum(dim=1)
    has_positive = num_positives > 0
    log_p = log_p.masked_fill(~positive, 0.0).sum(dim=1)
    per_image = -log_p[has_positive] / num_positives[has_positive]
    return per_image.sum() / has_positive.sum().clamp(min=1)
