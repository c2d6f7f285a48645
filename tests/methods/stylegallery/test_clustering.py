import math

import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from methods.stylegallery.clustering import (
    choose_clusters,
    k_means,
    mixing_weights,
    principal_parts,
    silhouette,
)
from stylekit.errors import ConfigError


def blobs(count, each=30, seed=0):
    draw = torch.Generator().manual_seed(seed)
    middles = 6.0 * torch.stack([torch.tensor([math.cos(angle), math.sin(angle)]) for angle in range(count)])
    return torch.cat([middle + torch.randn(each, 2, generator=draw) * 0.6 for middle in middles])


def same_parts(ours, theirs):
    pairs = set(zip(ours.tolist(), list(theirs), strict=True))
    return len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})


def test_weights_are_those_of_the_paper():
    expected = [0.0936, 0.0925, 0.0910, 0.0891, 0.0865, 0.0831, 0.0788, 0.0735, 0.0672, 0.0600]
    expected += [0.0522, 0.0442, 0.0364, 0.0292, 0.0229]
    torch.testing.assert_close(mixing_weights(15), torch.tensor(expected), atol=6e-5, rtol=0)


def test_principal_parts_are_those_of_standardised_cells():
    cells = torch.randn(200, 7, generator=torch.Generator().manual_seed(0)) @ torch.randn(7, 7)
    standard = (cells - cells.mean(0)) / cells.std(0)
    expected = torch.from_numpy(PCA(3).fit_transform(standard.numpy()))
    found = principal_parts(cells, 3)
    torch.testing.assert_close(found.abs(), expected.abs(), atol=1e-3, rtol=1e-3)


def test_a_constant_channel_counts_nothing():
    cells = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    with_constant = torch.cat([cells, torch.full((50, 1), 3.0)], 1)
    torch.testing.assert_close(principal_parts(with_constant, 4).abs(), principal_parts(cells, 4).abs())


def test_k_means_finds_what_scikit_learn_finds():
    points = blobs(5)
    expected = KMeans(5, n_init=10, random_state=0).fit(points.numpy()).labels_
    assert same_parts(k_means(points, 5, seed=42), expected)


def test_k_means_is_the_same_every_time():
    points = torch.randn(100, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(k_means(points, 7, seed=42), k_means(points, 7, seed=42))


def test_silhouette_is_that_of_scikit_learn():
    points = torch.randn(80, 3, generator=torch.Generator().manual_seed(2))
    labels = k_means(points, 4, seed=0)
    labels[0] = 9  # a cluster of its own
    expected = silhouette_score(points.numpy(), labels.numpy())
    assert silhouette(torch.cdist(points, points), labels) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_as_many_clusters_are_chosen_as_there_are(count):
    assert len(choose_clusters(blobs(count), 2, 10, seed=42).unique()) == count


def test_no_fewer_clusters_are_chosen_than_asked_for():
    assert len(choose_clusters(blobs(2), 4, 10, seed=42).unique()) >= 4


def test_more_clusters_than_cells_are_refused():
    with pytest.raises(ConfigError, match="min_clusters=12 asks for more than 12 cells"):
        choose_clusters(torch.rand(12, 2), 12, 20, seed=42)
