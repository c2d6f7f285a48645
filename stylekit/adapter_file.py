"""A LoRA in a file of diffusers: its names, its settings, where it came from, and how it is loaded again."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY, LORA_WEIGHT_NAME_SAFE
from peft import LoraConfig
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from stylekit.config.construction import class_of
from stylekit.errors import ConfigError
from stylekit.method import AdapterRenderer

__all__ = [
    "FILE_NAME",
    "exported_file",
    "factors_of",
    "fingerprint",
    "header",
    "learns_adapter",
    "load_into",
    "read_origin",
    "scale_of",
]

log = logging.getLogger("stylekit")

FILE_NAME: str = LORA_WEIGHT_NAME_SAFE
_ORIGIN = "stylekit"


def exported_file(path: Path) -> Path | None:
    """Return what `export` wrote for stylekit, given the file or its folder; None if it is not there."""
    file = path / FILE_NAME if path.is_dir() else path
    return file if file.is_file() and file.suffix == ".safetensors" else None


def read_origin(file: Path) -> dict[str, Any]:
    """Return what the file says of the run: experiment, method, choices, stages, seed, digests, version."""
    return _read_header(file)[0]


def load_into(method: AdapterRenderer[Any], file: Path) -> None:
    """Load what `stylekit export` wrote into a method that is built already: same class, same settings."""
    origin, settings = _read_header(file)
    if class_of(origin["method"]) is not type(method):
        raise ConfigError(
            f"{file} was learned by {origin['method']['_target_']}, not by {type(method).__name__}."
        )
    if origin["foundation"] != fingerprint(method):
        log.warning("%s was learned on a foundation of other weights, and acts otherwise on this one.", file)
    if not method.learned:
        for stage in origin["stages"]:
            method.start(stage)
    ours = {theirs: name for name, theirs in _names(method).items()}
    state = {ours.get(name, name): value for name, value in load_file(file).items()}
    method.account_for(state)
    if differing := _differences(method, settings, state):
        raise ConfigError(
            f"{file} does not fit {type(method).__name__} as it is configured: {'; '.join(differing[:8])}."
        )
    with torch.no_grad():
        for name, value in state.items():
            method.get_parameter(name).copy_(value)


def learns_adapter(node: Mapping[str, Any]) -> bool:
    """Tell whether a method's config names an AdapterRenderer, without building it."""
    return issubclass(class_of(node), AdapterRenderer)


def fingerprint(method: AdapterRenderer[Any]) -> str:
    """Tell foundations apart by their vectors (biases, scales), which are few and are never quantized."""
    digest = hashlib.sha256()
    for name, value in sorted(method.foundation.denoiser.named_parameters()):
        if value.ndim == 1:
            rounded = value.detach().cpu().to(torch.bfloat16)  # whatever dtype they are loaded in
            digest.update(name.replace(".base_layer", "").encode())
            digest.update(rounded.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def factors_of(method: AdapterRenderer[Any]) -> dict[str, Tensor]:
    """Return what was learned by its names in a file of diffusers."""
    return {theirs: method.get_parameter(name).detach().cpu() for name, theirs in _names(method).items()}


def scale_of(method: AdapterRenderer[Any]) -> float:
    """Return the factor on every product B A."""
    layers = [module for module in method.foundation.denoiser.modules() if isinstance(module, LoraLayer)]
    scales = {float(layer.scaling[method.adapter]) for layer in layers}
    if len(scales) != 1:
        raise ConfigError(f"The LoRA of {type(method).__name__} has several scales: {sorted(scales)}.")
    return scales.pop()


def header(method: AdapterRenderer[Any], origin: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata of the file: diffusers' own, and where it came from."""
    prefix = method.foundation.denoiser_name
    settings = {f"{prefix}.{name}": value for name, value in _settings(method).items()}
    return {
        "format": "pt",
        LORA_ADAPTER_METADATA_KEY: json.dumps(settings, sort_keys=True),
        _ORIGIN: json.dumps(origin, sort_keys=True),
    }


def _differences(
    method: AdapterRenderer[Any], settings: Mapping[str, Any], state: Mapping[str, Tensor]
) -> list[str]:
    """Say in which settings and shapes a file differs from a method that has all of its parameters."""
    own = _settings(method)
    in_settings = [
        f"{name} is {settings.get(name)} in the file and {own.get(name)} here"
        for name in sorted({*settings, *own})
        if settings.get(name) != own.get(name)
    ]
    in_shapes = [
        f"{name} is {tuple(value.shape)} in the file and {tuple(shape)} here"
        for name, value in state.items()
        if (shape := method.get_parameter(name).shape) != value.shape
    ]
    return [*in_settings, *in_shapes]


def _names(method: AdapterRenderer[Any]) -> dict[str, str]:
    """Map the name of each learned parameter to its name in a file of diffusers."""
    pattern = re.compile(rf"foundation\.(.+\.lora_[AB])\.{re.escape(method.adapter)}(\.weight)")
    names: dict[str, str] = {}
    for name in sorted(method.learned):
        found = pattern.fullmatch(name)
        if found is None:
            raise ConfigError(
                f"{type(method).__name__} learns {name}, which a file of a LoRA has no place for."
            )
        names[name] = found[1] + found[2]
    return names


def _settings(method: AdapterRenderer[Any]) -> dict[str, Any]:
    """Return what peft is told of the LoRA: rank, alpha, and what differs from its defaults."""
    told, default = method.foundation.denoiser.peft_config[method.adapter].to_dict(), LoraConfig().to_dict()
    kept = {
        name: sorted(value) if isinstance(value, set) else value
        for name, value in told.items()
        if value != default[name]
    }
    return {"r": told["r"], "lora_alpha": told["lora_alpha"], **kept}


def _read_header(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return where a file came from, and the settings of its LoRA."""
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
    except SafetensorError as error:
        raise ConfigError(f"{file} is no whole safetensors file: {error}.") from error
    if _ORIGIN not in metadata:
        raise ConfigError(
            f"{file} was not made by `stylekit export`, or for another program: "
            f"stylekit loads the folder, or {FILE_NAME} in it."
        )
    settings = json.loads(metadata[LORA_ADAPTER_METADATA_KEY])
    return json.loads(metadata[_ORIGIN]), {name.partition(".")[2]: value for name, value in settings.items()}
