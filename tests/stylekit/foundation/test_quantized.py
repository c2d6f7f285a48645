from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from methods.megastyle_flux import MegaStyleFlux
from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.flux import Flux
from stylekit.foundation.quantized import quantize

pytest.importorskip("bitsandbytes")

PROMPTS = ["A cat on the grass.", "A house in the snow."]


def bytes_of(module: nn.Module) -> int:
    return sum(parameter.numel() * parameter.element_size() for parameter in module.parameters())


@pytest.mark.parametrize(("kind", "error", "share"), [("nf4", 0.12, 0.13), ("int8", 0.02, 0.26)])
def test_a_map_is_nearly_what_it_was_in_a_fraction_of_the_memory(
    kind: str, error: float, share: float
) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(256, 512, bias=False))
    x = torch.randn(32, 256)
    expected, before = model(x), bytes_of(model)
    quantize(model, kind)
    assert (model(x) - expected).norm() / expected.norm() < error
    assert bytes_of(model) < share * before


def test_rows_that_do_not_fill_blocks_stay_as_they_are() -> None:
    model = nn.Sequential(nn.Linear(160, 64), nn.Linear(64, 160))
    narrow, wide = model
    quantize(model, "nf4")
    assert model[0] is narrow
    assert model[1] is not wide


@pytest.mark.parametrize("kind", ["nf4", "int8"])
def test_updates_of_quantized_weights_learn(kind: str) -> None:
    plain, small = Flux("mini_flux"), Flux("mini_flux", quantize=kind)
    assert bytes_of(small.denoiser) < bytes_of(plain.denoiser)
    latents, sigmas = torch.randn(2, 16, 16, 16), torch.tensor([0.4, 0.8])
    with torch.no_grad():
        expected = plain.predict(latents, sigmas, plain.condition(PROMPTS))
        found = small.predict(latents, sigmas, small.condition(PROMPTS))
    assert (found - expected).norm() / expected.norm() < 0.25
    for name, value in plain.condition(PROMPTS).items():
        similarity = torch.cosine_similarity(small.condition(PROMPTS)[name], value, dim=-1)
        assert similarity.mean() > 0.98, name
    method = MegaStyleFlux(small, rank=4)
    method.start("paired")
    assert method.learned == {name for name in method.state_dict() if ".lora_" in name}
    small.predict(latents, sigmas, small.condition(PROMPTS)).square().mean().backward()
    for name, parameter in method.named_parameters():
        if "lora_B" in name:
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name


def test_an_optimiser_of_eight_bits_learns_from_a_config(tmp_path: Path) -> None:
    from stylekit.training import train

    run = train(
        "megastyle_flux", f"runs={tmp_path}", f"data.cache_dir={tmp_path}", "data.encoder=null",
        "data.source.num_styles=12", "data.source.contents_per_style=3", "data.source.num_contents=20",
        "data.source.held_out_styles=0", "data.source.cache_images=72", "data.styles_per_batch=4",
        "data.val_styles=0", "tracking=local", "trainer.accelerator=cpu", "method.rank=64",
        "foundation.quantize=int8", "stages.paired.max_steps=2", "stages.paired.warmup_steps=0",
        "stages.paired.checkpoint_every=1", "stages.paired.validate_every=0",
        "stages.paired.optimizer={_target_: bitsandbytes.optim.AdamW8bit, _partial_: true, lr: 0.01}",
    )  # fmt: skip
    checkpoint = torch.load(run.last_checkpoint("paired"), weights_only=True)
    states = checkpoint["optimizer_states"][0]["state"].values()
    kinds = {state["__bnb_optimizer_quant_state__"]["state1"].dtype for state in states}
    assert torch.uint8 in kinds  # of the large ones


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    with pytest.raises(MissingError, match=r"pip install 'stylekit\[quantized\]'"):
        quantize(nn.Sequential(nn.Linear(64, 64)), "nf4")


def test_quantized_weights_are_not_drawn_at_random() -> None:
    with pytest.raises(ConfigError, match="quantize"):
        Flux("mini_flux", random_weights=True, quantize="int8")
