from stylekit.curation.digest import settings_of, step_digest

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
    files = {"_target_": "stylekit.curation.nemo.NemoDeduplication", "folder": "/shared", "eps": 0.02}
    assert settings_of(files) == {"_target_": "stylekit.curation.nemo.NemoDeduplication", "eps": 0.02}
