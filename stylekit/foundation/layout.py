"""The files of a foundation's folder, as diffusers and transformers lay them out."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["lacking", "list_models"]

WEIGHTS = (
    "model.safetensors",
    "diffusion_pytorch_model.safetensors",
    "pytorch_model.bin",
    "diffusion_pytorch_model.bin",
)
NO_MODEL = ("Tokenizer", "TokenizerFast", "Processor", "ProcessorPil", "FeatureExtractor", "Scheduler")
"""How names of classes without weights end."""
LEFT_OUT = ("safety_checker", "watermarker", "image_encoder")
"""Components that pipelines work without, and that this project does not load."""


def list_models(folder: Path) -> dict[str, tuple[str, str]]:
    """Return library and class of each model by its subfolder; "model" where the folder is one model."""
    if (folder / "model_index.json").is_file():
        index = json.loads((folder / "model_index.json").read_text())
        parts = {name: value for name, value in index.items() if isinstance(value, list) and value[1]}
        return {
            name: (library, class_name)
            for name, (library, class_name) in parts.items()
            if not class_name.endswith(NO_MODEL) and name not in LEFT_OUT
        }
    if not (folder / "config.json").is_file():
        return {}
    config = json.loads((folder / "config.json").read_text())
    if "_class_name" in config:
        return {"model": ("diffusers", config["_class_name"])}
    classes = config.get("architectures")
    return {"model": ("transformers", classes[0])} if classes else {}


def lacking(folder: Path) -> list[str]:
    """Return what weights a folder lacks: names of components, or of files where some are there."""
    names = list(list_models(folder)) or ["model"]
    missing: list[str] = []
    for name in names:
        place = folder if name == "model" else folder / name
        label = "" if name == "model" else f"{name}/"
        if any((place / file).is_file() for file in WEIGHTS):
            continue
        # A link into the hub's cache whose download was broken off counts as missing.
        indices = sorted(place.glob("*.index.json"))
        if not indices:
            missing.append(label.rstrip("/") or "weights")
            continue
        shards = sorted(set(json.loads(indices[0].read_text())["weight_map"].values()))
        missing += [f"{label}{shard}" for shard in shards if not (place / shard).is_file()]
    return missing
