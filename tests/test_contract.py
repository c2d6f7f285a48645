"""What every method in configs/method is held to, with no special cases."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from stylekit.batch import StyleBatch
from stylekit.checkpoint import load_learned, save_learned
from stylekit.config import build, compose_group
from stylekit.method import StyleEncoder, StyleMethod

ROOT = Path(__file__).parents[1]
NAMES = sorted(path.stem for path in (ROOT / "configs" / "method").glob("*.yaml"))


@pytest.fixture
def make(request: pytest.FixtureRequest, tiny_siglip: Path) -> Any:
    """Build a method as a config would, on a tiny foundation of the same classes."""

    def build_method(name: str) -> StyleMethod:
        node = yaml.safe_load((ROOT / "configs" / "method" / f"{name}.yaml").read_text())
        if "foundation" in node:
            config = compose_group("foundation", "mini_siglip", [f"foundation.name_or_path={tiny_siglip}"])
            node["foundation"] = config.values["foundation"]
        method = build(node)
        assert isinstance(method, StyleMethod)
        return method

    return build_method


def batch() -> StyleBatch:
    generator = torch.Generator().manual_seed(0)
    return StyleBatch(
        images=torch.rand(6, 3, 64, 64, generator=generator),
        style_ids=torch.tensor([0, 0, 1, 1, 2, 2]),
        content_ids=torch.arange(6),
        style_prompts=["word1", "word1", "word2", "word2", "word3", "word3"],
        content_prompts=[f"word{index}" for index in range(10, 16)],
    )


@pytest.mark.parametrize("name", NAMES)
def test_folder_config_and_card_carry_the_same_name(name: str) -> None:
    target = yaml.safe_load((ROOT / "configs" / "method" / f"{name}.yaml").read_text())["_target_"]
    assert target.startswith(f"methods.{name}.")
    assert (ROOT / "methods" / name / "README.md").is_file(), f"methods/{name} has no card"
    method = getattr(importlib.import_module(f"methods.{name}"), target.rpartition(".")[2])
    assert getattr(method, "__final__", False), f"{method.__name__} must be marked @final"


@pytest.mark.parametrize("name", NAMES)
def test_encoder_embeds_each_image_alone_and_the_same_every_time(name: str, make: Any) -> None:
    method = make(name)
    if not isinstance(method, StyleEncoder):
        pytest.skip("renders")
    method.eval()
    images = batch().images
    embeddings = method.embed(images)
    torch.testing.assert_close(embeddings.norm(dim=1), torch.ones(6))
    assert torch.equal(embeddings, method.embed(images))
    torch.testing.assert_close(embeddings[3:4], method.embed(images[3:4]))
    assert not torch.allclose(embeddings[0], embeddings[1])


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_learns_what_it_says_and_nothing_else(name: str, make: Any) -> None:
    method = make(name)
    for stage in method.stages:
        method.start(stage)
        before = {key: value.clone() for key, value in method.state_dict().items()}
        parameters = [parameter for parameter in method.parameters() if parameter.requires_grad]
        optimizer = torch.optim.SGD(parameters, lr=0.5)
        torch.stack(list(method.losses(batch()).values())).sum().backward()
        optimizer.step()
        changed = {key for key, value in method.state_dict().items() if not torch.equal(value, before[key])}
        assert changed
        assert changed <= method.learned


@pytest.mark.parametrize("name", NAMES)
def test_what_was_learned_survives_saving_and_loading(name: str, make: Any, tmp_path: Path) -> None:
    method = make(name)
    for stage in method.stages:
        method.start(stage)
    with torch.no_grad():
        for parameter in method.parameters():
            if parameter.requires_grad:
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    save_learned(method, method.state_dict(), tmp_path / "learned.ckpt", list(method.stages))
    loaded = make(name)
    load_learned(loaded, tmp_path / "learned.ckpt")
    expected = method.state_dict()
    for key, value in loaded.state_dict().items():
        if key in method.learned:
            assert torch.equal(value, expected[key]), key
