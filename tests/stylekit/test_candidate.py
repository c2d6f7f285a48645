"""What an evaluation measures is found from configs alone: candidates, and what they are compared with."""

from pathlib import Path

import pytest

from stylekit.candidate import Candidate, check_fits, find_baselines, find_candidates
from stylekit.config import compose


def test_baseline_stands_on_the_foundation_of_what_it_is_compared_with() -> None:
    foundation = ["foundation.revision=other"]
    (first,) = find_candidates(["siglip"], [*foundation, "benchmark.baselines=[siglip]"], ())
    assert first.foundation == "mini_siglip, revision=other"
    assert find_baselines(first, ()) == {}
    changed = [*foundation, "method.style_caption_probability=0.5", "benchmark.baselines=[siglip]"]
    (first,) = find_candidates(["siglip"], changed, ())
    (baseline,) = find_baselines(first, ())["siglip"]
    assert baseline.foundation == first.foundation
    assert baseline.config.values["method"]["foundation"] == first.config.values["foundation"]


def test_random_weights_stay_random_on_the_foundation_of_what_they_are_compared_with() -> None:
    (first,) = find_candidates(["siglip"], ["benchmark.baselines=[untrained_tower]"], ())
    (baseline,) = find_baselines(first, ())["untrained_tower"]
    assert baseline.foundation == "mini_siglip, random_weights=True"
    assert baseline.method["foundation"] == first.config.values["foundation"] | {"random_weights": True}


def test_a_foundation_as_it_is_has_its_weights_beside_one_that_began_without() -> None:
    (first,) = find_candidates(["untrained_tower"], ["benchmark.baselines=[siglip]"], ())
    (baseline,) = find_baselines(first, ())["siglip"]
    assert baseline.foundation == "mini_siglip"
    assert "random_weights" not in baseline.method["foundation"]


def test_an_experiment_comes_before_a_folder_of_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("siglip").mkdir()
    (first,) = find_candidates(["colour_histogram"], ["benchmark.baselines=[siglip]"], ())
    assert find_baselines(first, ())["siglip"][0].run is None


def test_control_of_style_bench_stands_on_the_foundation_of_what_it_is_compared_with() -> None:
    config = compose("megastyle_flux", ["benchmark=style_bench", "foundation.num_steps=3"])
    first = Candidate(config, None, "mini_flux, num_steps=3")
    check_fits(first, config, ())
    (control,) = find_baselines(first, ())["text_to_image"]
    assert control.method["foundation"] == config.values["foundation"]
    assert control.foundation == first.foundation
