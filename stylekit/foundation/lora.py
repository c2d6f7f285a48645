"""LoRAs of others, fused into the pipeline that they were made for."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from diffusers.utils import logging
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import SafetensorError
from torch import Tensor, nn

from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.loading import quiet
from stylekit.foundation.locate import find_lora

__all__ = ["fuse_lora"]


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
