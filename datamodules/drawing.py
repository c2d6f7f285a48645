"""Draw many images with all cores, in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from stylekit.pixels import Pixels

__all__ = ["draw_all"]

_CHUNK = 128  # images drawn at once


def draw_all(
    draw: Callable[[Sequence[int]], Sequence[Pixels]], count: int, num_workers: int, chunk: int = _CHUNK
) -> Iterator[Pixels]:
    """Yield what `draw` makes of the rows 0 to `count`, `chunk` of them at once, in several processes."""
    chunks = _Chunks(draw, count, chunk)
    num_processes = min(max(num_workers, os.cpu_count() or 1), len(chunks))
    num_processes = 0 if num_processes == 1 else num_processes
    loader = DataLoader(
        chunks,
        batch_size=None,
        num_workers=num_processes,
        worker_init_fn=_use_one_thread if num_processes else None,
        generator=torch.Generator().manual_seed(0),
    )
    for drawn in loader:  # the processes start with the first image that is asked for
        yield from drawn.numpy()


class _Chunks(Dataset[torch.Tensor]):
    def __init__(self, draw: Callable[[Sequence[int]], Sequence[Pixels]], count: int, chunk: int) -> None:
        self._draw, self._count, self._chunk = draw, count, chunk

    def __len__(self) -> int:
        return -(-self._count // self._chunk)

    def __getitem__(self, number: int) -> torch.Tensor:
        rows = range(number * self._chunk, min((number + 1) * self._chunk, self._count))
        return torch.from_numpy(np.stack(self._draw(rows)))


def _use_one_thread(worker: int) -> None:
    torch.set_num_threads(1)
