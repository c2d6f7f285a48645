from stylekit.curation.state import StepState, difference


def test_difference_names_the_setting():
    old = StepState("d", {"min_side": 32, "source": {"path": "a"}}, "before")
    assert difference(old, {"min_side": 64, "source": {"path": "a"}}, "before") == "min_side is 64 and was 32"
    assert difference(old, {"min_side": 32, "source": {"path": "b"}}, "") == "source.path is 'b' and was 'a'"
    assert difference(old, old.settings, "other") == "a step before it changed"
    assert difference(old, old.settings, "before") == "what it reads changed"
