import numpy as np
import pytest

from stylekit.curation.balancing import Balancing, balanced_sample, quotas
from stylekit.curation.figures import entropy, gini
from stylekit.curation.hierarchy import Hierarchy
from stylekit.errors import ConfigError


def _share(sizes: list[int], total: int, seed: int = 0) -> list[int]:
    return quotas(np.array(sizes), total, np.random.default_rng(seed)).tolist()


def test_quotas_of_closed_form() -> None:
    assert _share([10, 10, 10], 9) == [3, 3, 3]
    assert _share([1, 2, 100], 33) == [1, 2, 30]
    assert _share([1, 2, 3], 6) == [1, 2, 3]
    assert _share([5, 5], 0) == [0, 0]
    assert _share([0, 4, 9], 10) == [0, 4, 6]
    assert sorted(_share([10, 10, 10], 10)) == [3, 3, 4]
    assert _share([1, 9, 9], 8)[0] == 1
    assert sorted(_share([1, 9, 9], 8)[1:]) == [3, 4]


def test_the_cut_is_the_greatest_that_fits() -> None:
    draw = np.random.default_rng(0)
    for _ in range(200):
        sizes = draw.integers(0, 30, size=draw.integers(1, 9))
        total = int(draw.integers(0, sizes.sum() + 1))
        cut = max(c for c in range(31) if np.minimum(c, sizes).sum() <= total)
        found = quotas(sizes, total, draw)
        assert found.sum() == total
        extra = found - np.minimum(min(cut, sizes.max()), sizes)
        assert set(extra.tolist()) <= {0, 1}
        assert (found <= sizes).all()


def test_the_remainder_goes_to_each_child_alike() -> None:
    times = np.zeros(4)
    for seed in range(600):
        times += np.array(_share([2, 9, 9, 9], 15, seed)) - [2, 4, 4, 4]
    assert times[0] == 0
    # one of three in 600 draws: 200 with a deviation of 11.5
    assert np.abs(times[1:] - 200).max() < 46


@pytest.fixture
def skewed() -> np.ndarray:
    """Two thousand points of which most lie in few of forty groups."""
    draw = np.random.default_rng(0)
    weights = 1.0 / np.arange(1, 41)
    group = draw.choice(40, size=2_000, p=weights / weights.sum())
    centres = 3.0 * draw.standard_normal((40, 16))
    return (centres[group] + draw.standard_normal((2_000, 16))).astype(np.float32)


@pytest.mark.parametrize("draw", ["random", "closest"])
def test_a_sample_has_its_size_no_repeats_and_is_flatter_than_the_source(
    skewed: np.ndarray, draw: str
) -> None:
    found = Balancing((100, 20, 10, 4), size=300, draw=draw)(skewed)
    assert len(found.kept) == len(set(found.kept.tolist())) == 300
    assert found.kept.tolist() == sorted(found.kept.tolist())
    top = found.hierarchy.labels()[-1]
    before, after = np.bincount(top), np.bincount(top[found.kept], minlength=4)
    assert np.ptp(after[after < before]) <= 1, "what is not drawn whole is drawn alike"
    assert gini(after) < gini(before)
    assert entropy(after) > entropy(before)


def test_children_get_shares_at_every_level() -> None:
    # two tops; under the first, leaves of 1, 2 and 17 points, under the second, of 20 and 60
    leaves = np.repeat(np.arange(5, dtype=np.int32), [1, 2, 17, 20, 60])
    hierarchy = Hierarchy((leaves, np.array([0, 0, 0, 1, 1], np.int32)), np.arange(100, dtype=np.float32))
    kept = balanced_sample(hierarchy, 30)
    counts = np.bincount(leaves[kept], minlength=5).tolist()
    assert counts[:3] == [1, 2, 12]
    assert sorted(counts[3:]) == [7, 8]


def test_the_closest_of_a_leaf_are_drawn() -> None:
    distances = np.array([5, 1, 4, 2, 9, 3, 0, 7], dtype=np.float32)
    leaves = np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=np.int32)
    kept = balanced_sample(Hierarchy((leaves,), distances), 4, "closest")
    assert kept.tolist() == [1, 3, 5, 6]


def test_a_leaf_is_drawn_from_evenly() -> None:
    hierarchy = Hierarchy((np.zeros(10, np.int32),), np.zeros(10, np.float32))
    times = np.zeros(10)
    for seed in range(500):
        times[balanced_sample(hierarchy, 3, seed=seed)] += 1
    # three of ten in 500 draws: 150 with a deviation of 10
    assert np.abs(times - 150).max() < 42


def test_seed_decides(skewed: np.ndarray) -> None:
    one, same, other = (Balancing((50, 10), size=200, seed=seed)(skewed).kept for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_all_rows_can_be_asked_for_and_no_more(skewed: np.ndarray) -> None:
    assert Balancing((50, 10), size=2_000)(skewed).kept.tolist() == list(range(2_000))
    with pytest.raises(ConfigError, match="at most 2000"):
        Balancing((50, 10), size=2_001)(skewed)
    with pytest.raises(ConfigError, match="random, closest"):
        Balancing(draw="nearest")  # type: ignore[arg-type]


def test_defaults_are_megastyles() -> None:
    balancing = Balancing()
    assert balancing.levels == (50_000, 10_000, 5_000, 1_000)
    assert balancing.size == 170_000
