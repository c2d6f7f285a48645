"""Large batches on one device: run a tower chunk by chunk, with the gradients of the whole batch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

__all__ = ["in_chunks"]


def in_chunks(tower: Callable[[Tensor], Tensor], inputs: Tensor, size: int | None) -> Tensor:
    """Apply a tower that treats every row alone, `size` rows at a time.

    Two passes: the first keeps nothing but the outputs, on which a loss over all rows is computed; in the
    backward pass each chunk is run once more and takes the gradient of its own rows (GradCache, arXiv
    2101.06983). The result and its gradients are those of the whole batch at once; the memory is that of one
    chunk, for a third more computation. Random numbers, as in dropout, are drawn again as they were.
    """
    if size is None or len(inputs) <= size:
        return tower(inputs)
    chunks = torch.split(inputs, size)
    if not torch.is_grad_enabled():
        return torch.cat([tower(chunk) for chunk in chunks])
    return torch.cat([checkpoint(tower, chunk, use_reentrant=False) for chunk in chunks])
