"""The precision that a trainer computes in: mixed, where it is there for speed, only where it is faster."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["faster_precision", "is_bfloat16_slow"]

_MIXED = ("bf16-mixed", "bf16", "16-mixed", "16", 16)  # on a CPU, Lightning takes bfloat16 for all of them
_X86 = ("x86_64", "AMD64")
_WITHOUT_BFLOAT16 = ("DEFAULT", "NO AVX", "AVX2")  # products of matrices take 70 times as long as in float32


def is_bfloat16_slow() -> bool:
    """Tell whether this is an x86 processor without AVX-512."""
    return platform.machine() in _X86 and torch.backends.cpu.get_cpu_capability() in _WITHOUT_BFLOAT16


def faster_precision(trainer: Mapping[str, Any]) -> Any:
    """Return the precision of a trainer's settings, or float32 where a mixed one would be slow."""
    asked, accelerator = trainer.get("precision"), trainer.get("accelerator", "auto")
    on_cpu = accelerator == "cpu" or (accelerator == "auto" and not torch.accelerator.is_available())
    return "32-true" if asked in _MIXED and on_cpu and is_bfloat16_slow() else asked
