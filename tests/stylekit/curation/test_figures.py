import numpy as np
import pytest

from stylekit.curation.figures import balance_figures, duplicate_figures, effective_kinds, entropy, gini
from stylekit.curation.hierarchy import Hierarchy
from stylekit.curation.prompt_pool import PromptPool
from stylekit.curation.removals import Removals, joined


def test_entropy_of_closed_form() -> None:
    assert entropy(np.array([5, 5, 5, 5])) == pytest.approx(1.0)
    assert entropy(np.array([7, 0, 0])) == 0.0
    assert entropy(np.array([1, 1, 0, 0])) == pytest.approx(0.5)
    assert entropy(np.array([9])) == 1.0


def test_effective_kinds_of_closed_form() -> None:
    assert effective_kinds(np.array([5, 5, 5, 5])) == pytest.approx(4.0)
    assert effective_kinds(np.array([7, 0, 0])) == pytest.approx(1.0)
    assert effective_kinds(np.array([2, 1, 1])) == pytest.approx(2.0**1.5)


def test_gini_is_the_mean_difference() -> None:
    assert gini(np.array([4, 4, 4])) == pytest.approx(0.0)
    assert gini(np.array([0, 0, 0, 8])) == pytest.approx(3 / 4)
    counts = np.random.default_rng(0).integers(1, 50, size=30)
    brute = np.abs(counts[:, None] - counts[None]).mean() / (2 * counts.mean())
    assert gini(counts) == pytest.approx(brute)


def test_balance_is_reported_for_every_level() -> None:
    parents = (np.array([0, 0, 0, 1, 2, 2], np.int32), np.array([0, 1, 1], np.int32))
    low, high = balance_figures(Hierarchy(parents, np.zeros(6, np.float32)), np.array([0, 3]))
    assert (low["clusters"], high["clusters"]) == (3, 2)
    assert high["gini_before"] == pytest.approx(0.0)
    assert high["gini_after"] == pytest.approx(0.0)
    assert low["gini_before"] == pytest.approx(gini(np.array([3, 1, 2])))
    assert low["gini_after"] == pytest.approx(gini(np.array([1, 1, 0])))
    assert low["entropy_after"] == pytest.approx(np.log(2) / np.log(3))


def test_precision_and_recall_are_those_of_what_was_planted() -> None:
    # rows 1 and 2 repeat row 0, exactly and nearly; 4 nearly repeats 3; 5 is another style than 3 in one word
    words = np.zeros((6, 9), dtype=np.int16)
    words[3:5, 0], words[5, :2] = 1, 1
    kind = np.array([0, 1, 2, 0, 2, 0], dtype=np.int8)
    pool = PromptPool([""] * 6, np.array([0, 0, 0, 3, 3, 5]), kind, words)

    def found(level: str, rows: list[int], through: list[int]) -> Removals:
        ones = np.ones(len(rows), dtype=np.float32)
        return Removals.of(level, np.array(rows), np.array(through), ones)  # type: ignore[arg-type]

    removals = joined([found("exact", [1], [0]), found("fuzzy", [3, 0], [5, 2])])
    assert duplicate_figures(pool, removals) == {
        "exact": {
            "removed": 1, "precision": 1.0,
            "recall_exact": 1.0, "recall_near": 0.0, "recall_paraphrase": 1.0,
        },
        "fuzzy": {
            "removed": 2, "precision": 0.5, "differing": 1.0,
            "recall_exact": 1.0, "recall_near": 0.5, "recall_paraphrase": 1.0,
        },
    }  # fmt: skip
