"""Time on a device that works on its own."""

from __future__ import annotations

import time

import torch

__all__ = ["clock"]


def clock(device: torch.device) -> float:
    """Return the time when the device has done what it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
