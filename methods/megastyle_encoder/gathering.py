"""The batch of all processes, for losses in which every image is a negative of every other."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

__all__ = ["gather"]


def gather(rows: Tensor) -> Tensor:
    """Return the rows of all processes, each with equally many, by rank; in a single process the rows.

    Gradients come back from the losses of all processes: where each computes the loss of the whole batch and
    gradients are averaged over processes, they are those of a single process with the whole batch.
    """
    if not dist.is_available() or not dist.is_initialized():
        return rows
    gathered: Tensor = _Gather.apply(rows)  # type: ignore[no-untyped-call]
    return gathered


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        parts = [torch.empty_like(rows) for _ in range(dist.get_world_size())]
        dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        gradient = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(gradient)
        return gradient.chunk(dist.get_world_size())[dist.get_rank()]
