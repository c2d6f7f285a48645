"""Which kernel of attention is quickest where."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = ["attention_for"]

_SMALL = 64  # pixels; larger images have sequences whose products do not fit


def attention_for(device: torch.device, image_size: int) -> AbstractContextManager[None]:
    """Choose plain mathematics for small images on a CPU, whose fused kernel is slower there."""
    is_small = device.type == "cpu" and image_size <= _SMALL
    return sdpa_kernel(SDPBackend.MATH) if is_small else nullcontext()
