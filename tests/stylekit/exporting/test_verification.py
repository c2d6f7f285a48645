"""A file that is not what the run learned does not pass."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxPipeline
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from stylekit.errors import StylekitError
from stylekit.exporting import Check, Export, export, verify_export
from stylekit.exporting.verification import _judge
from stylekit.run import Run

DIFFUSERS = "transformer.transformer_blocks.0.attn.to_q.lora_B.weight"
BFL = "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight"


def remove(tensors: dict[str, Tensor], name: str) -> None:
    del tensors[name]


def rename(tensors: dict[str, Tensor], name: str) -> None:
    tensors[name.replace("blocks.0", "blocks.7").replace("blocks_0", "blocks_7")] = tensors.pop(name)


def add(tensors: dict[str, Tensor], name: str) -> None:
    tensors[f"{name}.bias"] = torch.zeros(1)


def perturb(tensors: dict[str, Tensor], name: str) -> None:
    tensors[name][0, 0] += 1e-4


def tamper(file: Path, change: Callable[[dict[str, Tensor], dict[str, str]], None]) -> None:
    with safe_open(file, framework="pt") as opened:
        metadata = dict(opened.metadata())
    tensors = load_file(file)
    change(tensors, metadata)
    save_file(tensors, file, metadata)


@pytest.fixture
def folder(exported: Export, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported.files[0].parent, tmp_path / "exported"))


def test_both_files_give_the_products_and_the_image_of_the_run(adapter_run: Run, folder: Path) -> None:
    ours, comfyui = verify_export(adapter_run.path, folder)
    assert ours == Check(folder / ours.file.name, "diffusers", 88, 44, 0.0, 0.0, ours.effect)
    assert (comfyui.reader, comfyui.keys, comfyui.layers) == ("stylekit", 75, 44)
    assert comfyui.difference < 1e-6
    assert comfyui.image_difference < 1e-5
    assert ours.effect > 1e-3


@pytest.mark.parametrize(
    ("index", "name", "change", "said"),
    [
        (0, DIFFUSERS, remove, f"{DIFFUSERS} is missing"),
        (0, DIFFUSERS, add, f"{DIFFUSERS}.bias was not learned"),
        (0, DIFFUSERS, perturb, f"{DIFFUSERS} has other values"),
        (1, BFL, rename, f"{BFL} is missing, {BFL.replace('s_0', 's_7')} was not learned"),
        (1, BFL, perturb, f"{BFL} has other values"),
    ],
)
def test_a_changed_tensor_is_found(
    adapter_run: Run,
    folder: Path,
    exported: Export,
    index: int,
    name: str,
    change: Callable[[dict[str, Tensor], str], None],
    said: str,
) -> None:
    tamper(folder / exported.files[index].name, lambda tensors, _: change(tensors, name))
    with pytest.raises(StylekitError) as refused:
        verify_export(adapter_run.path, folder)
    assert str(refused.value).endswith(f"does not hold what the run learned: {said}. Export it again.")


def test_another_scale_in_the_metadata_is_found_in_the_products(adapter_run: Run, folder: Path) -> None:
    def scale(_: dict[str, Tensor], metadata: dict[str, str]) -> None:
        settings = json.loads(metadata["lora_adapter_metadata"])
        metadata["lora_adapter_metadata"] = json.dumps(settings | {"transformer.lora_alpha": 2.1})

    tamper(folder / "pytorch_lora_weights.safetensors", scale)
    with pytest.raises(StylekitError, match=r"a product of its factors is 5\.0e-02 from the run's"):
        verify_export(adapter_run.path, folder)


def test_a_reader_that_drops_a_layer_is_found(
    adapter_run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = FluxPipeline.load_lora_weights

    def load_but_one(pipeline: FluxPipeline, where: str, weight_name: str, **settings: Any) -> None:
        tensors = load_file(Path(where) / weight_name)
        load(pipeline, {name: value for name, value in tensors.items() if "blocks.3.proj_mlp" not in name})

    monkeypatch.setattr(FluxPipeline, "load_lora_weights", load_but_one)
    with pytest.raises(
        StylekitError, match=r"other layers than the run: single_transformer_blocks\.3\.proj_mlp"
    ):
        verify_export(adapter_run.path, folder)


def test_a_run_whose_adapter_does_nothing_is_found(adapter_run: Run, tmp_path: Path) -> None:
    copy = Run(shutil.copytree(adapter_run.path, tmp_path / "run"))
    checkpoint = torch.load(copy.final_checkpoint, weights_only=True)
    for name, value in checkpoint["state_dict"].items():
        if ".lora_B." in name:
            value.zero_()
    torch.save(checkpoint, copy.final_checkpoint)
    with pytest.raises(StylekitError, match="the run learned nothing"):
        export(copy.path, out=tmp_path / "out", verify=True)


@pytest.mark.parametrize(
    ("difference", "image_difference", "effect", "said"),
    [
        (0.02, 0.0, 0.5, "a product of its factors"),
        (math.nan, 0.0, 0.5, "a product of its factors"),
        (0.0, 0.2, 0.5, "its image is 2.0e-01 from the run's"),
        (0.0, math.nan, 0.5, "its image is nan from the run's"),
        (0.0, 0.05, 0.04, "4.0e-02 from the image without the adapter"),
    ],
)
def test_what_rounding_does_not_explain_is_refused(
    difference: float, image_difference: float, effect: float, said: str
) -> None:
    check = Check(Path("a"), "diffusers", 2, 1, 0.01, 0.05, 0.5)
    _judge(check, of_products=0.01, of_images=0.1)
    wrong = Check(Path("a"), "diffusers", 2, 1, difference, image_difference, effect)
    with pytest.raises(StylekitError, match=said):
        _judge(wrong, of_products=0.01, of_images=0.1)
