import numpy as np

from stylekit.curation.removals import Removals, joined, kept_rows


def _of(level: str, rows: list[int], through: list[int]) -> Removals:
    return Removals.of(
        level,
        np.array(rows, np.int64),
        np.array(through, np.int64),
        np.linspace(0.5, 1, len(rows), dtype=np.float32),
    )  # type: ignore[arg-type]


def test_rows_lead_to_one_that_stays_in_the_end() -> None:
    found = joined([_of("exact", [4, 7], [2, 1]), _of("fuzzy", [2], [9]), _of("semantic", [9], [0])])
    assert found.row.tolist() == [2, 4, 7, 9]
    assert found.duplicate_of.tolist() == [0, 0, 1, 0]
    assert found.through.tolist() == [9, 2, 1, 0]
    assert found.level.tolist() == ["fuzzy", "exact", "exact", "semantic"]
    assert found.score.tolist() == [0.5, 0.5, 1.0, 0.5]


def test_kept_rows_are_the_others() -> None:
    assert kept_rows(5, _of("exact", [1, 3], [0, 0])).tolist() == [0, 2, 4]


def test_no_removals_keep_all() -> None:
    nothing = joined([_of("exact", [], []), _of("fuzzy", [], [])])
    assert len(nothing.row) == 0
    assert kept_rows(3, nothing).tolist() == [0, 1, 2]
