from stylekit.curation.state import StepState, difference, settings_of, step_digest

NODE = {
    "_target_": "stylekit.curation.pool.Pool",
    "min_side": 64,
    "sources": [{"_target_": "stylekit.curation.source.ImageFolder", "path": "a"}],
}


def test_digest_changes_with_settings_what_is_before_and_what_is_read():
    digests = {
        step_digest({"x": 1}, "", ""),
        step_digest({"x": 2}, "", ""),
        step_digest({"x": 1}, "before", ""),
        step_digest({"x": 1}, "", "read"),
    }
    assert len(digests) == 4
    assert step_digest({"x": 1, "y": 2}, "", "") == step_digest({"y": 2, "x": 1}, "", "")


def test_settings_that_change_no_row_are_left_out():
    step = {"_target_": "stylekit.curation.prompting.Caption", "price_per_answer": 1.0, "attempts": 3}
    assert settings_of({"a": [step, NODE]}) == {
        "a": [{"_target_": "stylekit.curation.prompting.Caption", "attempts": 3}, NODE]
    }


def test_difference_names_the_setting():
    old = StepState("d", {"min_side": 32, "source": {"path": "a"}}, "before")
    assert difference(old, {"min_side": 64, "source": {"path": "a"}}, "before") == "min_side is 64 and was 32"
    assert difference(old, {"min_side": 32, "source": {"path": "b"}}, "") == "source.path is 'b' and was 'a'"
    assert difference(old, old.settings, "other") == "a step before it changed"
    assert difference(old, old.settings, "before") == "what it reads changed"
