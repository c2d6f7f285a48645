"""Precisions that a processor computes slowly."""

from __future__ import annotations

import torch

__all__ = ["is_slow"]

_WITHOUT_BFLOAT16 = {"NO AVX", "AVX2"}  # bfloat16 came after AVX-512


def is_slow(precision: object, accelerator: object) -> bool:
    """Tell whether a mixed precision of Lightning, which is there for speed, makes training slower."""
    if precision not in ("bf16-mixed", "bf16"):
        return False
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())
    return on_cpu and torch.backends.cpu.get_cpu_capability() in _WITHOUT_BFLOAT16
