import tracemalloc

import numpy as np
import pytest

from stylekit.curation.semantic import ends_of, semantic_duplicates
from stylekit.errors import ConfigError, DataError


def _rows(seed: int, count: int = 40, copies: int = 4, noise: float = 0.02, width: int = 16) -> np.ndarray:
    draw = np.random.default_rng(seed)
    rows = np.repeat(draw.standard_normal((count, width)), copies, axis=0)
    rows += noise * draw.standard_normal(rows.shape)
    return rows[draw.permutation(len(rows))].astype(np.float32)


def _cosines(rows: np.ndarray) -> np.ndarray:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit @ unit.T


def _order(rows: np.ndarray, which_to_keep: str) -> np.ndarray:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    away = ((unit - unit.mean(axis=0)) ** 2).sum(axis=1)
    return np.argsort(-away if which_to_keep == "hard" else away, kind="stable")


@pytest.mark.parametrize("which_to_keep", ["hard", "easy"])
@pytest.mark.parametrize("eps", [0.01, 0.001, 0.0004])
def test_what_goes_is_what_all_pairs_say(which_to_keep: str, eps: float) -> None:
    rows = _rows(0)
    cosines, order = _cosines(rows), _order(rows, which_to_keep)
    linked, direct, stays = set(), set(), []
    for place, row in enumerate(order):
        if any(cosines[row, other] > 1 - eps for other in order[:place]):
            linked.add(int(row))
        if any(cosines[row, other] > 1 - eps for other in stays):
            direct.add(int(row))
        else:
            stays.append(row)
    found = semantic_duplicates(rows, eps=eps, which_to_keep=which_to_keep)
    assert set(found.row.tolist()) == linked
    assert not set(found.duplicate_of.tolist()) & linked
    assert found.score == pytest.approx(cosines[found.row, found.through], abs=1e-6)
    strict = semantic_duplicates(rows, eps=eps, which_to_keep=which_to_keep, chains=False)
    assert set(strict.row.tolist()) == direct
    assert not set(strict.duplicate_of.tolist()) & direct
    assert strict.score.min() > 1 - eps - 1e-6
    assert (cosines[strict.row, strict.through] > 1 - eps - 1e-6).all()


def test_a_chain_goes_whole_or_as_far_as_rows_are_alike() -> None:
    angles = np.arange(6) * 0.1  # cosine of neighbours 0.995, of the next but one 0.980
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    linked = semantic_duplicates(rows, which_to_keep="hard")
    assert len(linked.row) == 4, "the chain is walked from both ends, and each end stays"
    assert set(linked.duplicate_of.tolist()) == {0, 5}
    direct = semantic_duplicates(rows, which_to_keep="hard", chains=False)
    # 0 and 5 stay, 1 and 4 go for them, and of the two between one goes for the other
    assert set(direct.row.tolist()) - {2, 3} == {1, 4}
    assert len(direct.row) == 3
    assert direct.score == pytest.approx(np.full(3, np.cos(0.1)))


def test_many_blocks_find_what_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _rows(1, count=60, noise=0.05)
    for chains in (True, False):
        whole = semantic_duplicates(rows, eps=0.005, chains=chains)
        with monkeypatch.context() as patch:
            patch.setattr("stylekit.curation.semantic._AT_ONCE", 7 * len(rows))
            parts = semantic_duplicates(rows, eps=0.005, chains=chains)
        assert len(whole.row) > 50
        assert all(np.array_equal(one, other) for one, other in zip(whole[:4], parts[:4], strict=True))


def test_clusters_lose_hardly_any_pair() -> None:
    rows = _rows(2, count=1_500, copies=2, noise=0.001)
    one, three = (semantic_duplicates(rows, n_clusters=count) for count in (1, 3))
    assert len(one.row) == 1_500
    assert 1_490 <= len(three.row) <= 1_500
    assert set(three.level.tolist()) == {"semantic"}


def test_no_second_copy_of_the_rows_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _rows(5, count=5_000, copies=2, width=256)
    monkeypatch.setattr("stylekit.curation.semantic._AT_ONCE", 2**16)
    monkeypatch.setattr("stylekit.curation.semantic._PAIRS", 2**8)
    monkeypatch.setattr("stylekit.curation.kmeans._AT_ONCE", 2**12)
    tracemalloc.start()
    try:
        found = semantic_duplicates(rows, n_clusters=10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.row) > 4_000
    assert peak < 0.7 * rows.nbytes, "the sample that places the clusters, and one cluster"


def test_random_order_follows_the_seed() -> None:
    rows = _rows(3)
    one, same, other = (
        semantic_duplicates(rows, which_to_keep="random", seed=seed).row.tolist() for seed in (1, 1, 2)
    )
    assert one == same != other
    assert len(one) == len(other)


def test_length_makes_no_difference_and_no_rows_are_fine() -> None:
    rows = _rows(4)
    assert np.array_equal(semantic_duplicates(rows).row, semantic_duplicates(rows * 7.0).row)
    assert len(semantic_duplicates(np.empty((0, 8), dtype=np.float32)).row) == 0


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(DataError, match="zero or not finite"):
        semantic_duplicates(np.zeros((3, 4), dtype=np.float32))
    with pytest.raises(ConfigError, match="hard, easy, random"):
        semantic_duplicates(_rows(0), which_to_keep="first")  # type: ignore[arg-type]


def test_rows_that_lead_in_a_circle_are_refused() -> None:
    assert ends_of(np.array([0, 0, 1, 2, 3, 5])).tolist() == [0, 0, 0, 0, 0, 5]
    with pytest.raises(DataError, match="in a circle"):
        ends_of(np.array([0, 2, 3, 1, 1]))
