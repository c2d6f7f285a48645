"""Checkpoints: written atomically, holding only what was learned, every key accounted for when they load."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO
from torch import Tensor

from stylekit.method import StyleMethod

__all__ = ["AtomicCheckpointIO", "load_learned", "save_learned"]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Write to a temporary name, flush to disk, rename: a kill leaves the old checkpoint or the new one."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        _save(checkpoint, Path(path))


def save_learned(method: StyleMethod, state: Mapping[str, Tensor], path: Path, stages: list[str]) -> None:
    """Write, of a method's state, all that it has learned, and the stages that it went through."""
    learned = {name: state[name].detach().cpu() for name in sorted(method.learned)}
    _save({"state_dict": learned, "stages": stages}, path)


def load_learned(method: StyleMethod, path: Path) -> None:
    """Load what `save_learned` wrote, into a method built from the same config."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    for stage in checkpoint["stages"]:
        method.start(stage)
    method.account_for(checkpoint["state_dict"])
    mismatch = method.load_state_dict(checkpoint["state_dict"], strict=False)
    assert not mismatch.unexpected_keys
    assert not method.learned & set(mismatch.missing_keys)


def _save(checkpoint: dict[str, Any], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        torch.save(checkpoint, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
