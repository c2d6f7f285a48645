"""Which kernel of attention is quickest where."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = ["attention_for"]


def attention_for(device: torch.device) -> AbstractContextManager[None]:
    """Choose plain mathematics on a CPU, whose fused kernel is several times slower for short sequences."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()
