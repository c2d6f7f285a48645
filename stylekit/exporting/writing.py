"""Write what a run learned to files that other programs load, and this one too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor

from stylekit.adapter_file import (
    FILE_NAME,
    factors_of,
    fingerprint,
    header,
    learns_adapter,
    scale_of,
)
from stylekit.config import Config
from stylekit.errors import ConfigError
from stylekit.exporting.bfl import COMFYUI_FILE_NAME, to_bfl
from stylekit.exporting.verification import Check, verify_export
from stylekit.foundation.flux import Flux
from stylekit.learned import build_method, compose_learned
from stylekit.method import AdapterRenderer
from stylekit.run import Run, replacing, without_folders

__all__ = ["Export", "export"]

StoredDtype = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Export:
    """What was written, and what was found when it was loaded again, where that was asked for."""

    files: tuple[Path, ...]
    checks: tuple[Check, ...]


def export(
    run: Path | str, *, out: Path | str, dtype: StoredDtype = "float32", verify: bool = False
) -> Export:
    """Write the LoRA that a finished run learned, for diffusers and stylekit, and for ComfyUI.

    Args:
        run: Its folder.
        out: The folder to write to: pytorch_lora_weights.safetensors and comfyui.safetensors.
        dtype: Of the weights; float32 as they were learned.
        verify: Load both files again and compare weights and an image with the run's.
    """
    opened = Run.find(run)
    config = compose_learned(opened.path)
    method = _load(opened, config)
    factors = {name: value.to(getattr(torch, dtype)) for name, value in factors_of(method).items()}
    folder = Path(out)
    origin = _origin(opened, config) | {"foundation": fingerprint(method)}
    _save(factors, folder / FILE_NAME, header(method, origin))
    _save(to_bfl(factors, scale_of(method)), folder / COMFYUI_FILE_NAME, {"format": "pt"})
    del method  # the run's foundation, which is loaded anew to verify
    files = (folder / FILE_NAME, folder / COMFYUI_FILE_NAME)
    return Export(files, verify_export(run, folder) if verify else ())


def _load(run: Run, config: Config) -> AdapterRenderer[Any]:
    """Load the method of a run, if it can be exported."""
    method = build_method(config) if learns_adapter(config.values["method"]) else None
    if not isinstance(method, AdapterRenderer) or not isinstance(method.foundation, Flux):
        raise ConfigError(
            f"{run.path} cannot be exported: {config.values['method']['_target_']} learns no adapter of a "
            "FLUX. Give a finished run of a method that learns a LoRA in one (an AdapterRenderer)."
        )
    return method


def _origin(run: Run, config: Config) -> dict[str, Any]:
    """Say how the method is built again, and what it was trained with."""
    state = run.read()
    assert state is not None
    return {
        "experiment": config.name,
        "method": without_folders(config.values["method"]),
        "choices": config.choices,
        "stages": state.stages_done,
        "seed": state.seed,
        "config_digest": state.config_digest,
        "data_digest": state.data_digest,
        "stylekit": state.environment["stylekit"],
        "git": state.environment["git"],
    }


def _save(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    with replacing(path) as temporary:
        save_file(dict(tensors), temporary, dict(metadata))
        temporary.chmod(0o644)  # safetensors gives it to its owner alone
