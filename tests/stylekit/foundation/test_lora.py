"""LoRAs in the two formats that they are published in, on a real pipeline."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import convert_state_dict_to_diffusers
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import Tensor

from methods.text_to_image.mini import lay_out
from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.locate import LORA_FILE
from stylekit.foundation.stable_diffusion import StableDiffusion

RANK, ALPHA = 3, 6.0
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
KOHYA = {
    "lora_unet_down_blocks_0_attentions_0_proj_in": "down_blocks.0.attentions.0.proj_in",
    "lora_unet_mid_block_resnets_1_conv1": "mid_block.resnets.1.conv1",
    "lora_unet_up_blocks_1_attentions_0_transformer_blocks_0_ff_net_0_proj": (
        "up_blocks.1.attentions.0.transformer_blocks.0.ff.net.0.proj"
    ),
    "lora_unet_up_blocks_3_attentions_1_transformer_blocks_0_attn2_to_out_0": (
        "up_blocks.3.attentions.1.transformer_blocks.0.attn2.to_out.0"
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mini_sd")
    lay_out("mini_sd", path)
    return path


@pytest.fixture(scope="module")
def plain(folder: Path) -> StableDiffusion:
    return StableDiffusion(str(folder))


@pytest.fixture(scope="module")
def lora(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a LoRA that peft made and diffusers saved, without its alpha, as training scripts do."""
    unet = StableDiffusion(str(folder)).denoiser
    torch.manual_seed(1)
    unet.add_adapter(LoraConfig(r=RANK, target_modules=ATTENTION, init_lora_weights=False))
    weights = convert_state_dict_to_diffusers(get_peft_model_state_dict(unet))
    path = tmp_path_factory.mktemp("lora")
    StableDiffusionPipeline.save_lora_weights(path, unet_lora_layers=weights)
    return path


def test_fused_weights_are_what_they_were_and_the_product(
    folder: Path, plain: StableDiffusion, lora: Path
) -> None:
    weights = load_file(lora / LORA_FILE)
    before = plain.denoiser.state_dict()
    for scale in (1.0, 0.3):
        fused = StableDiffusion(str(folder), lora=str(lora), lora_scale=scale)
        after = fused.denoiser.state_dict()
        names = {name.removeprefix("unet.").rpartition(".lora.")[0] for name in weights}
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed == {f"{name}.weight" for name in names}
        for name in names:
            up, down = (weights[f"unet.{name}.lora.{part}.weight"] for part in ("up", "down"))
            assert torch.equal(after[f"{name}.weight"], before[f"{name}.weight"] + up @ down * scale)


def test_modules_are_afterwards_as_before(folder: Path, plain: StableDiffusion, lora: Path) -> None:
    fused = StableDiffusion(str(folder), lora=str(lora / LORA_FILE))
    kinds = {name: type(module) for name, module in plain.named_modules()}
    assert {name: type(module) for name, module in fused.named_modules()} == kinds
    assert list(fused.denoiser.attn_processors) == list(plain.denoiser.attn_processors)
    assert not any(parameter.requires_grad for parameter in fused.parameters())
    assert not any(module.training for module in fused.modules())
    # Others can be put on: nothing of the fused one is left.
    fused.denoiser.add_adapter(LoraConfig(r=1, target_modules=ATTENTION))
    assert fused.denoiser.active_adapters() == ["default"]


def kohya(plain: StableDiffusion) -> dict[str, Tensor]:
    torch.manual_seed(2)
    weights: dict[str, Tensor] = {}
    for name, path in KOHYA.items():
        layer = plain.denoiser.get_submodule(path)
        shape = tuple(layer.weight.shape)
        weights[f"{name}.lora_down.weight"] = torch.randn(RANK, *shape[1:])
        weights[f"{name}.lora_up.weight"] = torch.randn(shape[0], RANK, *[1] * (len(shape) - 2))
        weights[f"{name}.alpha"] = torch.tensor(ALPHA)
    return weights


def test_other_layers_and_alphas_are_fused_too(folder: Path, plain: StableDiffusion, tmp_path: Path) -> None:
    weights = kohya(plain)
    save_file(weights, tmp_path / "few_steps.safetensors", {"format": "pt"})
    fused = StableDiffusion(str(folder), lora=str(tmp_path / "few_steps.safetensors"))
    for name, path in KOHYA.items():
        before, after = (one.denoiser.get_submodule(path).weight for one in (plain, fused))
        up, down = weights[f"{name}.lora_up.weight"], weights[f"{name}.lora_down.weight"]
        product = (up.flatten(1) @ down.flatten(1)).reshape(before.shape)
        torch.testing.assert_close(after - before, ALPHA / RANK * product, atol=1e-5, rtol=1e-5)


def test_what_does_not_fit_is_refused(folder: Path, plain: StableDiffusion, tmp_path: Path) -> None:
    def refused(weights: dict[str, Tensor], match: str) -> None:
        save_file(weights, tmp_path / "other.safetensors", {"format": "pt"})
        with pytest.raises(ConfigError, match=match):
            StableDiffusion(str(folder), lora=str(tmp_path / "other.safetensors"))

    weights = kohya(plain)
    one = next(iter(KOHYA))
    refused({"weight": torch.zeros(2)}, "does not fit")
    refused(weights | {f"{one}.lora_down.weight": torch.zeros(RANK, 5)}, "does not fit")
    renamed = {name.replace("down_blocks_0", "down_blocks_7"): value for name, value in weights.items()}
    refused(renamed, "1 of its 4 layers have no place")
    (tmp_path / "broken.safetensors").write_bytes(b"not weights" * 10)
    with pytest.raises(MissingError, match="cannot be read"):
        StableDiffusion(str(folder), lora=str(tmp_path / "broken.safetensors"))
