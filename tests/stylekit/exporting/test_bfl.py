"""The makers' names and shapes, and what becomes of the weights on the way there and back."""

from __future__ import annotations

import re

import pytest
import torch
from diffusers import FluxPipeline
from safetensors.torch import save_file
from torch import Tensor

from stylekit.errors import ConfigError
from stylekit.exporting.bfl import from_bfl, is_read_by_diffusers, to_bfl
from stylekit.foundation.architecture import published
from stylekit.foundation.memory import adapted_layers

RANK, SCALE = 2, 0.5
D = 3072
# Rows and columns of the makers' maps (black-forest-labs/flux, src/flux/modules/layers.py), and how many
# maps of diffusers each is.
SHAPES = {
    r"double_blocks_\d+_(img|txt)_attn_qkv": (3 * D, D, 3),
    r"double_blocks_\d+_(img|txt)_attn_proj": (D, D, 1),
    r"double_blocks_\d+_(img|txt)_mlp_0": (4 * D, D, 1),
    r"double_blocks_\d+_(img|txt)_mlp_2": (D, 4 * D, 1),
    r"double_blocks_\d+_(img|txt)_mod_lin": (6 * D, D, 1),
    r"single_blocks_\d+_linear1": (7 * D, D, 4),
    r"single_blocks_\d+_linear2": (D, 5 * D, 1),
    r"single_blocks_\d+_modulation_lin": (3 * D, D, 1),
}


@pytest.fixture(scope="module")
def full_size() -> dict[str, Tensor]:
    """Factors for every linear map of FLUX.1-dev's blocks, at its own size."""
    (transformer,) = (
        part for part in published("black-forest-labs/FLUX.1-dev").components if part.name == "transformer"
    )
    with torch.device("meta"):
        model = transformer.build()
    assert is_read_by_diffusers(model)
    torch.manual_seed(0)
    factors = {}
    for name, layer in adapted_layers(model, "FluxTransformer2DModel").items():
        factors[f"transformer.{name}.lora_A.weight"] = torch.randn(RANK, layer.in_features)
        factors[f"transformer.{name}.lora_B.weight"] = torch.randn(layer.out_features, RANK)
    return factors


def test_at_full_size_every_map_has_the_makers_name_and_shape(full_size: dict[str, Tensor]) -> None:
    joined = to_bfl(full_size, SCALE)
    names = {name.partition(".")[0] for name in joined}
    assert len(names) == 19 * 10 + 38 * 3
    assert set(joined) == {
        f"{name}.{kind}" for name in names for kind in ("lora_down.weight", "lora_up.weight", "alpha")
    }
    for name in names:
        (shape,) = (shape for pattern, shape in SHAPES.items() if re.fullmatch(rf"lora_unet_{pattern}", name))
        rows, columns, parts = shape
        assert joined[f"{name}.lora_down.weight"].shape == (parts * RANK, columns), name
        assert joined[f"{name}.lora_up.weight"].shape == (rows, parts * RANK), name
        assert joined[f"{name}.alpha"].item() == SCALE * parts * RANK, name


def test_diffusers_reads_the_makers_names_back_to_the_same_factors(
    full_size: dict[str, Tensor], tmp_path
) -> None:
    save_file(to_bfl(full_size, SCALE), tmp_path / "comfyui.safetensors")
    read = FluxPipeline.lora_state_dict(str(tmp_path), weight_name="comfyui.safetensors")
    assert set(read) == set(full_size)
    for name, value in full_size.items():
        # It puts the scale into A; a half is exact.
        assert torch.equal(read[name], value * SCALE if "lora_A" in name else value), name


def test_joined_maps_are_their_parts_above_each_other() -> None:
    torch.manual_seed(0)
    widths = {"attn.to_q": 4, "attn.to_k": 4, "attn.to_v": 4, "proj_mlp": 16}
    factors = {}
    for rank, (part, width) in enumerate(widths.items(), start=1):  # ranks may differ
        path = f"transformer.single_transformer_blocks.5.{part}"
        factors[f"{path}.lora_A.weight"] = torch.randn(rank, 4)
        factors[f"{path}.lora_B.weight"] = torch.randn(width, rank)
    joined = to_bfl(factors, 0.75)
    name = "lora_unet_single_blocks_5_linear1"
    assert set(joined) == {f"{name}.{kind}" for kind in ("lora_down.weight", "lora_up.weight", "alpha")}
    down, up = joined[f"{name}.lora_down.weight"], joined[f"{name}.lora_up.weight"]
    product = joined[f"{name}.alpha"] / down.shape[0] * up @ down
    paths = [f"transformer.single_transformer_blocks.5.{part}" for part in widths]
    expected = [0.75 * factors[f"{path}.lora_B.weight"] @ factors[f"{path}.lora_A.weight"] for path in paths]
    torch.testing.assert_close(product, torch.cat(expected))
    back = from_bfl(joined, factors)
    assert set(back) == set(factors)
    for path, one in zip(paths, expected, strict=True):
        torch.testing.assert_close(back[f"{path}.lora_B.weight"] @ back[f"{path}.lora_A.weight"], one)


def test_half_a_joined_map_and_maps_without_a_name_are_refused() -> None:
    ones = {"lora_A": torch.ones(1, 2), "lora_B": torch.ones(2, 1)}
    query = {f"transformer.transformer_blocks.0.attn.to_q.{kind}.weight": one for kind, one in ones.items()}
    with pytest.raises(ConfigError, match=r"img_attn_qkv is one map.*no LoRA: .*to_k\.lora_A"):
        to_bfl(query, 1.0)
    head = {f"transformer.norm_out.linear.{kind}.weight": one for kind, one in ones.items()}
    with pytest.raises(ConfigError, match=r"no names for transformer\.norm_out\.linear\.lora_A\.weight"):
        to_bfl(head, 1.0)
