import numpy as np
import pytest
from sklearn.cluster import KMeans

from stylekit.curation.kmeans import divided_kmeans, kmeans, lloyd, nearest
from stylekit.errors import ConfigError, DataError


def _blobs(seed: int, count: int, each: int, width: int = 8, noise: float = 0.05) -> np.ndarray:
    draw = np.random.default_rng(seed)
    rows = np.repeat(draw.standard_normal((count, width)), each, axis=0)
    return (rows + noise * draw.standard_normal(rows.shape)).astype(np.float32)


def test_nearest_is_the_nearest() -> None:
    draw = np.random.default_rng(0)
    points, centroids = (draw.standard_normal((size, 5)).astype(np.float32) for size in (300, 17))
    exact = ((points[:, None] - centroids[None]) ** 2).sum(axis=2)
    labels, distances = nearest(points, centroids)
    assert labels.tolist() == exact.argmin(axis=1).tolist()
    assert distances == pytest.approx(exact.min(axis=1), abs=1e-5)


@pytest.mark.parametrize("way", [lloyd, divided_kmeans])
def test_blobs_far_from_each_other_are_found(way) -> None:
    points = _blobs(0, 12, 50, noise=0.01)
    found = way(points, 12, np.random.default_rng(0), 50)
    assert len(found.centroids) == 12
    truth = np.repeat(np.arange(12), 50)
    assert len(set(zip(found.labels.tolist(), truth.tolist(), strict=True))) == 12
    means = np.stack([points[found.labels == label].mean(axis=0) for label in range(12)])
    assert found.centroids == pytest.approx(means, abs=1e-5)


def test_lloyd_ends_where_every_centroid_is_a_mean_and_every_point_at_its_nearest() -> None:
    points = np.random.default_rng(1).standard_normal((500, 4)).astype(np.float32)
    found = lloyd(points, 20, np.random.default_rng(0), 300)
    means = np.stack([points[found.labels == label].mean(axis=0) for label in range(20)])
    assert found.centroids == pytest.approx(means, abs=1e-5)
    assert np.array_equal(found.labels, nearest(points, found.centroids)[0])


# blobs are the hardest to divide: a cell's share of the clusters is not always its share of the blobs
@pytest.mark.parametrize(("way", "excess"), [(lloyd, 1.03), (divided_kmeans, 1.1)])
def test_inertia_is_near_that_of_scikit_learn(way, excess: float) -> None:
    points = _blobs(2, 300, 10, width=16, noise=0.3)
    ours = way(points, 150, np.random.default_rng(0), 50).distances.sum()
    theirs = KMeans(150, n_init=1, max_iter=50, random_state=0).fit(points).inertia_
    assert ours < excess * theirs


def test_division_misses_few_nearest_centroids() -> None:
    points = _blobs(3, 500, 10, width=16, noise=0.3)
    found = divided_kmeans(points, 400, np.random.default_rng(0), 50)
    labels, distances = nearest(points, found.centroids)
    assert (labels != found.labels).mean() < 0.02
    assert found.distances.sum() < 1.002 * distances.sum()
    assert np.bincount(found.labels).min() > 0


def test_many_points_are_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    points = _blobs(4, 30, 10)
    monkeypatch.setattr("stylekit.curation.kmeans._DIRECT", 1_000)
    divided = kmeans(points, 20, seed=3)
    expected = divided_kmeans(points, 20, np.random.default_rng(3), 50)
    assert np.array_equal(divided.labels, expected.labels)


@pytest.mark.parametrize("way", [lloyd, divided_kmeans])
def test_points_that_coincide_form_fewer_clusters(way) -> None:
    rows = np.random.default_rng(0).standard_normal((5, 30)).astype(np.float32)
    points = np.repeat(rows, 20, axis=0)
    found = way(points, 9, np.random.default_rng(0), 50)
    assert len(found.centroids) == 5
    assert found.distances.max() == pytest.approx(0.0, abs=1e-4)
    assert np.bincount(found.labels).tolist() == [20] * 5


def test_as_many_clusters_as_points_and_one_alone() -> None:
    points = np.random.default_rng(5).standard_normal((30, 3)).astype(np.float32)
    assert sorted(kmeans(points, 30).labels.tolist()) == list(range(30))
    assert kmeans(points, 1).centroids[0] == pytest.approx(points.mean(axis=0), abs=1e-6)


def test_same_seed_same_clusters() -> None:
    points = _blobs(6, 40, 10, noise=0.4)
    one, same, other = (kmeans(points, 25, seed=seed).labels for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_what_cannot_be_clustered_is_refused() -> None:
    points = np.ones((3, 2), dtype=np.float32)
    with pytest.raises(ConfigError, match="3 points cannot form 4 clusters"):
        kmeans(points, 4)
    with pytest.raises(DataError, match="not finite"):
        kmeans(points * np.nan, 2)
