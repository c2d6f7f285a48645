from itertools import combinations

import pytest
import torch
import torch.nn.functional as F

from stylekit.metrics import diversity


def test_diversity_is_the_mean_over_pairs():
    features = torch.randn(2, 4, 5, generator=torch.Generator().manual_seed(0))
    expected = [
        sum(1 - float(F.cosine_similarity(a, b, dim=0)) for a, b in combinations(rows, 2)) / 6
        for rows in features
    ]
    assert diversity(features).tolist() == pytest.approx(expected, abs=1e-6)


def test_images_of_one_direction_have_none_and_opposite_ones_the_most():
    row = torch.randn(5, generator=torch.Generator().manual_seed(0))
    found = diversity(torch.stack([torch.stack([row, 3 * row]), torch.stack([row, -row])]))
    assert found.tolist() == pytest.approx([0.0, 2.0], abs=1e-9)


def test_one_image_is_refused():
    with pytest.raises(ValueError, match="two images"):
        diversity(torch.ones(1, 3))
