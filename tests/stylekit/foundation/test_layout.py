from __future__ import annotations

import json
from pathlib import Path

from stylekit.foundation.layout import lacking, list_models


def test_models_of_a_pipeline_are_told_from_its_other_parts(tiny_pipeline: Path) -> None:
    assert list(list_models(tiny_pipeline)) == ["unet", "vae"]
    assert lacking(tiny_pipeline) == []


def test_component_without_weights_is_named(tiny_pipeline: Path) -> None:
    (tiny_pipeline / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    assert lacking(tiny_pipeline) == ["vae"]


def test_missing_shards_are_named(tiny_pipeline: Path) -> None:
    folder = tiny_pipeline / "unet"
    whole = folder / "diffusion_pytorch_model.safetensors"
    whole.rename(folder / "part-1-of-2.safetensors")
    # What the hub's cache holds when a download was broken off.
    (folder / "part-2-of-2.safetensors").symlink_to(folder / "blob.incomplete")
    index = {"weight_map": {"a": "part-1-of-2.safetensors", "b": "part-2-of-2.safetensors"}}
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    assert lacking(tiny_pipeline) == ["unet/part-2-of-2.safetensors"]
    (folder / "blob.incomplete").touch()
    assert lacking(tiny_pipeline) == []


def test_one_model_and_no_model(tiny_pipeline: Path, tmp_path: Path) -> None:
    assert list_models(tiny_pipeline / "vae") == {"model": ("diffusers", "AutoencoderKL")}
    assert lacking(tiny_pipeline / "vae") == []
    assert list_models(tmp_path / "absent") == {}
    assert lacking(tmp_path / "absent") == ["weights"]
