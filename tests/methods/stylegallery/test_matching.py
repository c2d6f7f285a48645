import math

import pytest
import torch
from torch import nn

from methods.stylegallery.matching import Described, circle_overlap, compare, describe, statistics_network

WEIGHTS = (0.25, 1.0, 0.125)


def test_circles_overlap_as_counted_points_do():
    draw = torch.Generator().manual_seed(0)
    ours, theirs = (torch.rand(6, 3, generator=draw) * torch.tensor([1.0, 1.0, 0.5]) for _ in range(2))
    axis = torch.linspace(-1, 2, 1500)
    y, x = torch.meshgrid(axis, axis, indexing="ij")

    def inside(circle):
        return (y - circle[0]) ** 2 + (x - circle[1]) ** 2 <= circle[2] ** 2

    expected = torch.tensor(
        [[float((inside(a) & inside(b)).sum() / (inside(a) | inside(b)).sum()) for b in theirs] for a in ours]
    )
    found = circle_overlap(ours.double(), theirs.double()).float()
    torch.testing.assert_close(found, expected, atol=5e-3, rtol=0)


def test_circles_that_are_one_apart_or_within():
    circles = torch.tensor([[0.5, 0.5, 0.2], [0.5, 0.5, 0.4], [3.0, 3.0, 0.2], [0.5, 0.5, 0.0]]).double()
    overlap = circle_overlap(circles, circles)
    assert overlap.diagonal().tolist() == pytest.approx([1.0] * 4)
    assert float(overlap[0, 1]) == pytest.approx(0.25)
    assert float(overlap[0, 2]) == 0.0
    assert float(overlap[3, 1]) == 0.0


def test_regions_are_described_by_their_own_cells():
    labels = torch.tensor([[1, 1, 2, 2], [1, 1, 2, 2], [2, 2, 2, 2], [2, 2, 2, 2]])
    features = torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(0))
    tokens = torch.randn(2, 2, 5, generator=torch.Generator().manual_seed(1))
    found = describe(labels, features, tokens, nn.Identity())
    inside = features[:, labels == 1]
    placed = torch.where(labels == 1, features, 0.0).flatten(1)
    torch.testing.assert_close(found.statistics[0], torch.cat([inside.mean(1), placed.var(1) / 4]))
    torch.testing.assert_close(found.semantics[0], tokens[0, 0])
    torch.testing.assert_close(found.semantics[1], tokens.flatten(0, 1)[1:].mean(0))
    half = math.sqrt(2) / 8
    torch.testing.assert_close(found.circles[0], torch.tensor([0.25, 0.25, half]))


def test_a_token_counts_where_any_cell_lies_in_its_square():
    labels = torch.tensor([[1, 2, 2, 2], [2, 2, 2, 2], [2, 2, 2, 2], [2, 2, 2, 1]])
    tokens = torch.arange(4.0).view(2, 2, 1)
    found = describe(labels, torch.zeros(1, 4, 4), tokens, nn.Identity())
    assert found.semantics[:, 0].tolist() == pytest.approx([1.5, 1.5])


def test_tokens_may_be_finer_than_cells():
    labels = torch.tensor([[1, 2], [2, 2]])
    tokens = torch.arange(16.0).view(4, 4, 1)
    found = describe(labels, torch.zeros(1, 2, 2), tokens, nn.Identity())
    assert float(found.semantics[0, 0]) == pytest.approx((0 + 1 + 4 + 5) / 4)


def test_scores_are_weighed_two_to_eight_to_one():
    draw = torch.Generator().manual_seed(0)
    ours, theirs = (
        Described(*(torch.rand(count, size, generator=draw) for size in (6, 5, 3))) for count in (2, 3)
    )
    found = compare(ours, theirs, WEIGHTS)
    for row, column in ((0, 0), (1, 2)):
        statistics = torch.cosine_similarity(ours.statistics[row], theirs.statistics[column], 0)
        semantics = torch.cosine_similarity(ours.semantics[row], theirs.semantics[column], 0)
        position = circle_overlap(ours.circles[row, None], theirs.circles[column, None])[0, 0]
        assert float(found.total[row, column]) == pytest.approx(
            float(0.25 * statistics + semantics + 0.125 * position), abs=1e-5
        )


def test_regions_are_most_like_themselves():
    draw = torch.Generator().manual_seed(0)
    regions = Described(*(torch.randn(5, size, generator=draw) for size in (8, 8, 3)))
    regions = regions._replace(circles=regions.circles.abs())
    assert compare(regions, regions, WEIGHTS).total.argmax(1).tolist() == [0, 1, 2, 3, 4]


def test_the_untrained_network_is_always_the_same_and_its_layers_differ():
    one, other = statistics_network(8, 42), statistics_network(8, 42)
    cells = torch.randn(1, 10, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(one(cells), other(cells))
    assert not torch.equal(one(cells), statistics_network(8, 43)(cells))
    layers = [dict(layer.named_parameters())["linear1.weight"] for layer in one.layers]
    assert len(layers) == 8
    assert not torch.equal(layers[0], layers[1])
    assert not any(parameter.requires_grad for parameter in one.parameters())


def test_the_statistics_network_lets_cells_see_one_another():
    labels = torch.ones(2, 2, dtype=torch.long)
    features = torch.randn(8, 2, 2, generator=torch.Generator().manual_seed(0))
    tokens, network = torch.zeros(2, 2, 3), statistics_network(8, 42)
    changed = features.clone()
    changed[:, 0, 0] += 1.0
    before, after = (describe(labels, one, tokens, network).statistics for one in (features, changed))
    plain = [describe(labels, one, tokens, nn.Identity()).statistics for one in (features, changed)]
    assert not torch.allclose(before, after)
    assert not torch.allclose(before, plain[0])
