"""Which linear maps of FLUX learn, and how."""

from __future__ import annotations

import re

from peft import LoraConfig

__all__ = ["lora_config"]

_MODULATION = {
    "transformer_blocks": ("norm1.linear", "norm1_context.linear"),
    "single_transformer_blocks": ("norm.linear",),
}
_REST = {
    "transformer_blocks": (
        *(f"attn.{name}" for name in ("to_q", "to_k", "to_v", "to_out.0")),
        *(f"attn.{name}" for name in ("add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")),
        *(f"{name}.{place}" for name in ("ff.net", "ff_context.net") for place in ("0.proj", "2")),
    ),
    "single_transformer_blocks": ("attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp", "proj_out"),
}


def lora_config(rank: int, alpha: float, modulation: bool) -> LoraConfig:
    """Adapt every linear map of every block, those of the modulation if asked for."""
    patterns = []
    for blocks, names in _REST.items():
        chosen = "|".join(map(re.escape, (*names, *(_MODULATION[blocks] if modulation else ()))))
        patterns.append(rf"{blocks}\.\d+\.({chosen})")
    return LoraConfig(r=rank, lora_alpha=alpha, target_modules="|".join(patterns))
