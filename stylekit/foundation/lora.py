"""LoRAs of others, fused into the pipeline that they were made for."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from diffusers.utils import logging
from huggingface_hub import hf_hub_download
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from torch import Tensor, nn

from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.loading import quiet

__all__ = ["find_lora", "fuse_lora", "split_lora"]

USUAL = "pytorch_lora_weights.safetensors"
"""What diffusers calls the file."""


def split_lora(name: str) -> tuple[str, str] | None:
    """Return repository and file of owner/name or owner/name/file on the hub; None for what is no such name."""
    parts = name.split("/")
    if name.startswith(("/", ".", "~")) or len(parts) < 2:
        return None
    return "/".join(parts[:2]), "/".join(parts[2:]) or USUAL


def find_lora(name: str, local_only: bool = False) -> Path:
    """Return the file of a LoRA, from the hub if it has to come from there.

    Args:
        name: A file, a folder with the file that diffusers writes, owner/name on the hub, or owner/name/file.
        local_only: Do not use the network.
    """
    path = Path(name).expanduser()
    if path.is_dir() and (path / USUAL).is_file():
        return path / USUAL
    if path.is_file():
        return path
    if path.is_dir():
        raise MissingError(f"The folder of the LoRA {name} holds no {USUAL}: name the file in it.")
    hub = split_lora(name)
    if hub is None:
        raise MissingError(
            f"There is no LoRA '{name}': it is no file, no folder and no hub name (owner/name, or "
            "owner/name/file)."
        )
    try:
        return Path(hf_hub_download(*hub, local_files_only=local_only))
    except OSError as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingError(
            f"The LoRA '{name}' could not be loaded: {said}\nDownload it where the hub can be reached "
            f"(hf download {' '.join(hub)}) and set foundation.lora to the file."
        ) from error


def fuse_lora(pipeline: Any, name: str, scale: float) -> None:
    """Add scale * B A to the weights that a LoRA changes; names of modules are afterwards as before.

    Args:
        pipeline: A `StableDiffusionPipeline`.
        name: What `find_lora` takes.
        scale: Of what is added.
    """
    path = find_lora(name)
    file = {"weight_name": path.name, "use_safetensors": True}
    with quiet(logging), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of layers without a place, which are counted below
        try:
            pipeline.load_lora_weights(str(path.parent), **file)
        except SafetensorError as error:
            raise MissingError(f"The LoRA {path} cannot be read ({error}).") from error
        except (ValueError, RuntimeError, KeyError) as error:  # no LoRA at all, or of another network
            raise ConfigError(_does_not_fit(path, str(error).splitlines()[0])) from error
        placed = sum(isinstance(one, BaseTunerLayer) for one in _modules(pipeline))
        asked = _count_layers(pipeline.lora_state_dict(str(path.parent), **file)[0])
        if placed != asked:
            raise ConfigError(_does_not_fit(path, f"{asked - placed} of its {asked} layers have no place"))
        pipeline.fuse_lora(lora_scale=scale)
        pipeline.unload_lora_weights()


def _modules(pipeline: Any) -> list[nn.Module]:
    parts = [one for one in pipeline.components.values() if isinstance(one, nn.Module)]
    return [module for part in parts for module in part.modules()]


def _count_layers(weights: dict[str, Tensor]) -> int:
    return sum(".down." in name or "lora_A" in name for name in weights)


def _does_not_fit(path: Path, said: str) -> str:
    return f"The LoRA {path} does not fit the foundation: {said}. Choose one that was made for it."
