"""A run, an experiment or neither: what is loaded of it, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from stylekit.config import compose
from stylekit.errors import ConfigError, MissingError
from stylekit.learned import build_method, compose_learned, load_method, refuse_unlearned
from stylekit.run import Run, Status, find_run


def test_a_run_is_found_by_its_folder(encoder_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(encoder_run.path.parent))
    for target in (encoder_run.path, str(encoder_run.path), "~/encoder_run"):
        found = find_run(target)
        assert found is not None
        assert found.path == encoder_run.path
    for target in ("megastyle_encoder", encoder_run.path.parent, "~"):
        assert find_run(target) is None


def test_what_a_run_learned_is_loaded(encoder_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(encoder_run.path.parent))
    method = load_method("~/encoder_run")
    learned = torch.load(encoder_run.final_checkpoint, weights_only=True)["state_dict"]
    assert learned
    for name, value in learned.items():
        assert torch.equal(method.get_parameter(name), value)


@pytest.mark.parametrize("target", ["megastyle_encoder", "runs/megastyle_encoder/lates"])
def test_only_a_run_has_learned(target: str) -> None:
    with pytest.raises(ConfigError, match=f"{target} is not a run"):
        load_method(target)


@pytest.mark.parametrize("status", ["running", "failed", "killed"])
def test_a_run_that_has_not_finished_is_refused_though_it_has_a_checkpoint(
    encoder_run: Run, status: Status
) -> None:
    state = encoder_run.read()
    assert state is not None
    encoder_run.write(replace(state, status=status))
    with pytest.raises(MissingError, match="encoder_run has not finished"):
        load_method(encoder_run.path)


def test_a_run_without_its_checkpoint_is_refused(encoder_run: Run) -> None:
    encoder_run.final_checkpoint.unlink()
    with pytest.raises(MissingError, match="encoder_run has not finished"):
        load_method(encoder_run.path)


@pytest.mark.parametrize(
    "override", ["data.source.mislabelled=0.5", "stages.paired.max_steps=1", "data=atelier"]
)
def test_what_has_been_learned_is_not_changed_by_settings_of_its_training(override: str) -> None:
    with pytest.raises(ConfigError, match=f"stylekit train megastyle_flux {override}"):
        compose_learned("megastyle_flux", [override])
    compose_learned("megastyle_flux", ["method.guidance=2.0"])
    compose_learned("megastyle_flux", [override, "learned=null"])


def test_what_learns_in_stages_is_refused_until_it_has_learned(encoder_run: Run) -> None:
    with pytest.raises(ConfigError, match=r"learns in stages \(sscl\).*`stylekit train megastyle_encoder`"):
        refuse_unlearned(compose("megastyle_encoder"))
    refuse_unlearned(compose("megastyle_encoder", [f"learned={encoder_run.path}"]))
    refuse_unlearned(compose("colour_histogram"))


@pytest.mark.parametrize("override", ["method.sees_reference=false", "method.reference_shift=0.0"])
def test_settings_that_training_settled_are_refused(override: str) -> None:
    name = override.partition("=")[0]
    with pytest.raises(ConfigError, match=rf"{name} is .+, and \S*mini_megastyle_flux was trained with"):
        build_method(compose_learned("megastyle_flux", [override]))
