from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylekit.checkpoint import save_learned
from stylekit.config import compose
from stylekit.encoder import load_encoder
from stylekit.errors import ConfigError
from stylekit.learned import load_method
from stylekit.run import Run, RunState

IMAGES = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def run(tiny_siglip: Path, tmp_path: Path) -> Run:
    """What a finished run of megastyle_encoder leaves; updates at random instead of learned ones."""
    foundation = f"foundation.name_or_path={tiny_siglip}"
    config = compose("megastyle_encoder", [foundation])
    run = Run(tmp_path / "run")
    method = load_method("megastyle_encoder", [foundation])
    method.start("sscl")
    torch.manual_seed(1)
    for name in sorted(method.learned):
        torch.nn.init.normal_(method.get_parameter(name), std=0.1)
    save_learned(method, method.state_dict(), run.final_checkpoint, ["sscl"])
    run.config_file.write_text(config.to_yaml())
    run.write(RunState("run", config.name, "megastyle_encoder", "finished", stages_done=["sscl"]))
    return run


def test_an_experiment_embeds_with_what_it_names_as_learned(run: Run, tiny_siglip: Path) -> None:
    foundation = f"foundation.name_or_path={tiny_siglip}"
    theirs = load_encoder(str(run.path), []).embed(IMAGES)
    named = load_encoder("megastyle_encoder", [foundation, f"learned={run.path}"])
    assert torch.equal(named.embed(IMAGES), theirs)
    as_it_begins = load_encoder("megastyle_encoder", [foundation])
    assert not torch.allclose(as_it_begins.embed(IMAGES), theirs, atol=0.1)
    assert not as_it_begins.training


def test_a_run_is_used_as_it_was_trained(run: Run) -> None:
    with pytest.raises(ConfigError, match="overrides apply to experiments only"):
        load_encoder(str(run.path), ["method.temperature=1.0"])


def test_what_does_not_embed_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not embed images"):
        load_encoder("atelier_painter", [])
