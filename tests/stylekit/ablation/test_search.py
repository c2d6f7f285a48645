from pathlib import Path

import pytest

from stylekit.ablation.search import Range, Search, Study
from stylekit.errors import ConfigError

SPACE = {
    "method.temperature": Range(0.01, 1.0, log=True),
    "method.kind": ["a", "b"],
    "n": Range(1, 4, whole=True),
}


def study(path: Path, of="experiment", **settings) -> Study:
    return Study(Search("random/recall_at_1", SPACE, num_trials=30, **settings), path / "study.db", of)


def test_the_search_finds_the_better_end(tmp_path):
    found = study(tmp_path)
    for _ in range(30):
        trial = found.ask()
        labels = dict(trial.point.labels)
        assert 0.01 <= float(labels["method.temperature"]) <= 1.0
        assert labels["n"] in {"1", "2", "3", "4"}
        trial.finish(-abs(float(labels["method.temperature"]) - 0.1) - (labels["method.kind"] == "a"))
    best = dict(found.points[0].labels)
    assert best["method.kind"] == "b"
    assert 0.05 < float(best["method.temperature"]) < 0.2


def test_a_study_goes_on_and_a_trial_that_was_cut_off_is_begun_again(tmp_path):
    first = study(tmp_path)
    first.ask().finish(0.5)
    cut_off = first.ask().point
    again = study(tmp_path)
    assert again.num_ended == 1
    assert again.ask().point == cut_off


def test_a_trial_below_the_median_is_pruned_and_a_good_one_is_not(tmp_path):
    found = study(tmp_path, prune_on="val/recall_at_1", prune_after_trials=2, prune_after_step=5)
    for value in (0.5, 0.6, 0.7):
        trial = found.ask()
        assert not trial.should_stop({5: value / 2, 10: value})
        trial.finish(value)
    good, bad = found.ask(), found.ask()
    assert not good.should_stop({10: 0.9})
    assert not bad.should_stop({4: 0.0})  # too early to tell
    assert bad.should_stop({4: 0.0, 10: 0.1})
    bad.finish(None, is_pruned=True)
    assert found.num_ended == 4


def test_what_is_better_may_differ_between_objective_and_training(tmp_path):
    settings = {"prune_on": "val/recall_at_1", "prune_after_trials": 2, "direction": "minimize"}
    found = study(tmp_path, **settings)
    for value in (0.5, 0.6, 0.7):
        trial = found.ask()
        assert not trial.should_stop({10: value})
        trial.finish(1.0 - value)  # leakage falls as recall rises
    good, bad = found.ask(), found.ask()
    assert not good.should_stop({10: 0.9})
    assert bad.should_stop({10: 0.1})


def test_a_trial_that_failed_does_not_count(tmp_path):
    found = study(tmp_path)
    found.ask().finish(None)
    assert found.num_ended == 0
    assert found.points == []


def test_bad_spaces_are_refused():
    with pytest.raises(ConfigError, match="from a lower to a higher number"):
        Range(1.0, 0.5)
    with pytest.raises(ConfigError, match="space is empty"):
        Search("m", {}, 3)
    with pytest.raises(ConfigError, match=r"space\.a must be a Range or a list"):
        Search("m", {"a": []}, 3)
    with pytest.raises(ConfigError, match="num_trials must be at least 1"):
        Search("m", SPACE, 0)


def test_another_experiment_metric_or_space_is_another_study(tmp_path):
    study(tmp_path).ask().finish(0.5)
    assert study(tmp_path).num_ended == 1
    assert study(tmp_path, of="another").num_ended == 0
    assert study(tmp_path, direction="minimize").num_ended == 0


def test_a_point_that_was_drawn_twice_is_one_point(tmp_path):
    found = Study(Search("m", {"n": Range(1, 2, whole=True)}, 6), tmp_path / "study.db", "one")
    for value in range(6):
        found.ask().finish(float(value))
    assert 1 <= len(found.points) <= 2


def test_what_is_checked_beforehand_are_the_ends_and_all_listed_values():
    corners = [point.name for point in Search("m", SPACE, 3).corners()]
    assert corners == [
        "method.temperature=0.01", "method.temperature=1.0", "method.kind=a", "method.kind=b", "n=1", "n=4",
    ]  # fmt: skip
