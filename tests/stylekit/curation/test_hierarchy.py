import numpy as np
import pytest

from stylekit.curation.hierarchy import Hierarchy, build_hierarchy
from stylekit.errors import ConfigError


def _nested(seed: int) -> np.ndarray:
    """Three far groups of four near groups of ten points."""
    draw = np.random.default_rng(seed)
    far = 100.0 * np.eye(3, 6).repeat(40, axis=0)
    near = draw.standard_normal((12, 6)).repeat(10, axis=0)
    return (far + 5.0 * near + 0.01 * draw.standard_normal(far.shape)).astype(np.float32)


def test_levels_are_the_clusters_of_clusters() -> None:
    points = _nested(0)
    found = build_hierarchy(points, (12, 3))
    low, high = found.labels()
    truth = np.arange(120)
    assert len(set(zip(low.tolist(), (truth // 10).tolist(), strict=True))) == 12
    assert len(set(zip(high.tolist(), (truth // 40).tolist(), strict=True))) == 3
    centres = np.stack([points[low == label].mean(axis=0) for label in range(12)])
    assert found.distances == pytest.approx(((points - centres[low]) ** 2).sum(axis=1), abs=0.02)


def test_labels_follow_parents_up() -> None:
    parents = (np.array([0, 1, 2, 0], np.int32), np.array([1, 0, 1], np.int32), np.array([0, 0], np.int32))
    found = Hierarchy(parents, np.zeros(4, np.float32)).labels()
    assert [labels.tolist() for labels in found] == [[0, 1, 2, 0], [1, 0, 1, 1], [0, 0, 0, 0]]


def test_points_that_coincide_make_smaller_levels() -> None:
    points = np.eye(6, dtype=np.float32).repeat(10, axis=0)
    found = build_hierarchy(points, (30, 10, 2))
    assert [int(parent.max()) + 1 for parent in found.parents] == [6, 6, 2]


@pytest.mark.parametrize("levels", [(), (120, 3), (12, 12), (3, 12), (12, 0)])
def test_levels_that_do_not_fall_are_refused(levels: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="falling numbers"):
        build_hierarchy(_nested(0), levels)
