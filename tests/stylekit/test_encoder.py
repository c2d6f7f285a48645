from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylekit.encoder import load_encoder
from stylekit.errors import ConfigError
from stylekit.run import Run

IMAGES = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))


def test_an_experiment_embeds_with_what_it_names_as_learned(encoder_run: Run, tiny_siglip: Path) -> None:
    foundation = f"foundation.name_or_path={tiny_siglip}"
    theirs = load_encoder(str(encoder_run.path), []).embed(IMAGES)
    named = load_encoder("megastyle_encoder", [foundation, f"learned={encoder_run.path}"])
    assert torch.equal(named.embed(IMAGES), theirs)
    as_it_begins = load_encoder("megastyle_encoder", [foundation])
    assert not torch.allclose(as_it_begins.embed(IMAGES), theirs, atol=0.1)
    assert not as_it_begins.training


def test_a_run_is_used_as_it_was_trained(encoder_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(encoder_run.path.parent))
    for target in (str(encoder_run.path), "~/encoder_run"):
        with pytest.raises(ConfigError, match="overrides apply to experiments only"):
            load_encoder(target, ["method.temperature=1.0"])


def test_what_does_not_embed_is_refused() -> None:
    with pytest.raises(ConfigError, match="does not embed images"):
        load_encoder("atelier_painter", [])
