"""FLUX's linear maps under the names of its makers (black-forest-labs/flux), which Kohya's LoRA files keep.

Query, key and value, and in single blocks the first map of the feed-forward, are one map there and maps of
their own in diffusers. Rows and columns have the same order in both, those of the modulation too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from stylekit.errors import ConfigError

__all__ = ["COMFYUI_FILE_NAME", "from_bfl", "is_read_by_diffusers", "to_bfl"]

COMFYUI_FILE_NAME = "comfyui.safetensors"

_DOUBLE = {
    "img_attn_qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "img_attn_proj": ("attn.to_out.0",),
    "img_mlp_0": ("ff.net.0.proj",),
    "img_mlp_2": ("ff.net.2",),
    "img_mod_lin": ("norm1.linear",),
    "txt_attn_qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
    "txt_attn_proj": ("attn.to_add_out",),
    "txt_mlp_0": ("ff_context.net.0.proj",),
    "txt_mlp_2": ("ff_context.net.2",),
    "txt_mod_lin": ("norm1_context.linear",),
}
_SINGLE = {
    "linear1": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"),
    "linear2": ("proj_out",),
    "modulation_lin": ("norm.linear",),
}
_BLOCK = re.compile(r"transformer\.((?:single_)?transformer_blocks)\.(\d+)\.")
_KINDS = {
    "transformer_blocks": ("double_blocks", _DOUBLE),
    "single_transformer_blocks": ("single_blocks", _SINGLE),
}
_WIDER = {"proj_mlp": 4}  # rows, in widths of the model


def to_bfl(factors: Mapping[str, Tensor], scale: float) -> dict[str, Tensor]:
    """Rename the factors of a LoRA, and join those of joined maps without loss.

    Of joined maps the A's lie above each other and the B's on the diagonal, so the rank is the sum of theirs.

    Args:
        factors: As diffusers names them, transformer.transformer_blocks.0.attn.to_q.lora_A.weight.
        scale: Of every product B A.
    """
    left = dict(factors)
    joined: dict[str, Tensor] = {}
    for name, parts in _maps(factors):
        keys = [[f"{part}.lora_{letter}.weight" for part in parts] for letter in "AB"]
        if absent := [key for key in (*keys[0], *keys[1]) if key not in left]:
            raise ConfigError(f"{name} is one map, and parts of it have no LoRA: {', '.join(absent)}.")
        downs, ups = ([left.pop(key) for key in side] for side in keys)
        down = torch.cat(downs)
        joined[f"{name}.lora_down.weight"] = down
        joined[f"{name}.lora_up.weight"] = torch.block_diag(*ups)  # type: ignore[no-untyped-call]
        joined[f"{name}.alpha"] = torch.tensor(scale * len(down))  # readers divide by the rank
    if left:
        raise ConfigError(f"FLUX's makers have no names for {', '.join(sorted(left)[:8])}.")
    return joined


def from_bfl(joined: Mapping[str, Tensor], names: Iterable[str]) -> dict[str, Tensor]:
    """Return the factors of these names, at a scale of 1: each map has its rows of B, and all of A."""
    factors: dict[str, Tensor] = {}
    for name, parts in _maps(names):
        down, up = joined[f"{name}.lora_down.weight"], joined[f"{name}.lora_up.weight"]
        shares = [_WIDER.get(part.rpartition(".")[2], 1) for part in parts]
        rows = torch.split(up, [len(up) * share // sum(shares) for share in shares])
        for part, own in zip(parts, rows, strict=True):
            factors[f"{part}.lora_A.weight"] = down * (joined[f"{name}.alpha"] / len(down))
            factors[f"{part}.lora_B.weight"] = own
    return factors


def is_read_by_diffusers(denoiser: Any) -> bool:
    """Tell whether diffusers reads these names, as it does at FLUX.1's width and number of blocks."""
    config = denoiser.config
    width = config.num_attention_heads * config.attention_head_dim
    return bool(width == 3072 and config.num_layers <= 19 and config.num_single_layers <= 38)


def _maps(names: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    """Name the maps of the makers, and their parts in diffusers, that any of these factors belongs to."""
    layers = {name.partition(".lora_")[0] for name in names}
    blocks = {(found[1], int(found[2])) for layer in layers if (found := _BLOCK.match(layer))}
    for kind, index in sorted(blocks):
        theirs, maps = _KINDS[kind]
        for name, parts in maps.items():
            paths = [f"transformer.{kind}.{index}.{part}" for part in parts]
            if not layers.isdisjoint(paths):
                yield f"lora_unet_{theirs}_{index}_{name}", paths
