"""Frozen weights in four or eight bits (bitsandbytes; QLoRA, arXiv 2305.14314)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn

from stylekit.errors import MissingError

__all__ = ["Quantization", "quantize"]

Quantization = Literal["nf4", "int8"]

_SHARING = 64


def quantize(model: nn.Module, kind: Quantization) -> None:
    """Put the weights of linear maps into fewer bits; they can be adapted then, and not trained.

    They are packed at once on a processor, and on a GPU when they are moved there. With nf4, maps whose rows
    are no multiple of 64 stay as they are: 64 weights share a scale. So do those that transformers keeps in
    float32, as T5's last ones: what they are given is brought to the dtype of their weights.
    """
    bits = _bitsandbytes()
    kept = set(getattr(model, "_keep_in_fp32_modules", None) or ())
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is not nn.Linear or name in kept:
                continue
            if kind == "int8" or child.in_features % _SHARING == 0:
                setattr(module, name, _packed(bits, child, kind))
    # How PEFT knows which kind of layer to put around them.
    setattr(model, "is_loaded_in_4bit" if kind == "nf4" else "is_loaded_in_8bit", True)


def _packed(bits: Any, linear: nn.Linear, kind: Quantization) -> nn.Module:
    shape, dtype = (linear.in_features, linear.out_features), linear.weight.dtype
    has_bias = linear.bias is not None
    with torch.device("meta"):
        if kind == "nf4":
            packed = bits.nn.Linear4bit(*shape, has_bias, compute_dtype=dtype, quant_type="nf4")
        else:
            packed = bits.nn.Linear8bitLt(*shape, has_bias, has_fp16_weights=False)
    weight = linear.weight.detach()
    if kind == "nf4":
        packed.weight = bits.nn.Params4bit(weight, requires_grad=False, quant_type="nf4", module=packed)
    else:
        packed.weight = bits.nn.Int8Params(weight, requires_grad=False, has_fp16_weights=False)
    packed.bias = linear.bias
    result: nn.Module = packed.to(weight.device)
    return result


def _bitsandbytes() -> Any:
    try:
        import bitsandbytes
    except ImportError as error:
        raise MissingError(
            "foundation.quantize needs bitsandbytes: pip install 'stylekit[quantized]'."
        ) from error
    return bitsandbytes
