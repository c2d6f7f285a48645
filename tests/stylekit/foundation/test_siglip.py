import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.siglip import Siglip

KEY = "vision_model.encoder.layers.0.mlp.fc1.bias"


@pytest.fixture
def folder(tiny_siglip: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_siglip, tmp_path / "copy"))


def drop(weights: dict[str, torch.Tensor]) -> None:
    weights.pop(KEY)


def resize(weights: dict[str, torch.Tensor]) -> None:
    weights[KEY] = torch.zeros(3)


def rename(weights: dict[str, torch.Tensor]) -> None:
    weights[f"{KEY}_old"] = weights.pop(KEY)


@pytest.mark.parametrize("change", [drop, resize, rename])
def test_weights_that_do_not_fit_are_refused_by_name(
    folder: Path, change: Callable[[dict[str, torch.Tensor]], None]
) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=KEY):
        Siglip(str(folder))


def test_broken_weights_are_explained(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"not weights" * 10)
    with pytest.raises(MissingError, match="download them again"):
        Siglip(str(folder))


def test_missing_tokenizer_is_explained(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(MissingError, match=r"stylekit\[siglip\]"):
        Siglip(str(folder))
