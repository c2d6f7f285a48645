from __future__ import annotations

import pytest
import torch

from stylekit.curation.batches import in_batches


def test_batches_shrink_where_memory_runs_out_and_nothing_is_lost():
    sizes = []

    def work(batch):
        sizes.append(len(batch))
        if len(batch) > 2:
            raise torch.OutOfMemoryError
        return [10 * item for item in batch]

    assert in_batches(work, range(7), 5) == [0, 10, 20, 30, 40, 50, 60]
    assert sizes == [5, 2, 2, 2, 1]


def test_one_that_does_not_fit_ends_it():
    def work(batch):
        raise torch.OutOfMemoryError

    with pytest.raises(torch.OutOfMemoryError):
        in_batches(work, [1], 4)
