from itertools import permutations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from stylekit.metrics import adjusted_rand_index, best_ious, contingency, matched_ious


def labels(most: int):
    """Two divisions of the same pixels."""
    counts = st.integers(2, 40)
    return counts.flatmap(
        lambda count: st.tuples(*[st.lists(st.integers(-1, most), min_size=count, max_size=count)] * 2)
    )


@settings(max_examples=60, deadline=None)
@given(labels(4))
def test_rand_index_is_that_of_scikit_learn(pair):
    truth, found = map(torch.tensor, pair)
    expected = adjusted_rand_score(*pair)
    assert adjusted_rand_index(contingency(truth, found)) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(labels(1))
def test_matching_is_the_best_of_all(pair):
    truth, found = map(torch.tensor, pair)
    rows, columns = truth.unique(), found.unique()

    def iou(row, column):
        a, b = truth == row, found == column
        return float((a & b).sum() / (a | b).sum())

    table = contingency(truth, found)
    assert best_ious(table).tolist() == pytest.approx(
        [max(iou(row, column) for column in columns) for row in rows]
    )
    chosen = [*columns, *[None] * len(rows)]
    best = max(
        sum(iou(row, column) for row, column in zip(rows, order, strict=True) if column is not None)
        for order in permutations(chosen, len(rows))
    )
    assert float(matched_ious(table).sum()) == pytest.approx(best)


def test_table_counts_shared_pixels_whatever_the_regions_are_called():
    truth, found = torch.tensor([[0, 0], [7, 7]]), torch.tensor([[1, 1], [1, 5]])
    assert contingency(truth, found).tolist() == [[2, 0], [1, 1]]
    assert adjusted_rand_index(contingency(truth, truth + 3)) == 1.0
    assert adjusted_rand_index(contingency(truth, torch.zeros_like(truth))) == 0.0
    assert adjusted_rand_index(contingency(torch.ones(4).int(), torch.zeros(4).int())) == 1.0
