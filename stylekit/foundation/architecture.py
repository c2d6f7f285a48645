"""What a foundation is made of, without its weights: published configs, and those of a folder."""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stylekit.errors import MissingError
from stylekit.foundation.layout import list_models

__all__ = ["Architecture", "Component", "list_published", "published", "read_architecture"]

PUBLISHED = Path(__file__).parent / "published"


@dataclass(frozen=True)
class Component:
    """One model of a foundation.

    Args:
        name: Its subfolder (transformer, vae), or "model" where the foundation is one model.
        library: diffusers or transformers.
        class_name: Its class there.
        config: What its config.json says of its shape.
        stored: The dtype of its files.
    """

    name: str
    library: str
    class_name: str
    config: Mapping[str, Any]
    stored: str

    def build(self) -> nn.Module:
        """Build it with weights of the surrounding device: none under `torch.device("meta")`."""
        if self.library not in ("diffusers", "transformers"):
            raise MissingError(f"{self.class_name} is of '{self.library}', not of diffusers or transformers.")
        cls = getattr(importlib.import_module(self.library), self.class_name, None)
        if cls is None:
            raise MissingError(f"The installed {self.library} has no class {self.class_name}.")
        if self.library == "diffusers":
            return cls.from_config(dict(self.config))  # type: ignore[no-any-return]
        return cls(cls.config_class(**self.config))  # type: ignore[no-any-return]

    def count_parameters(self) -> int:
        """Count the parameters of a build on the meta device."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in self.build().parameters())

    @property
    def download_bytes(self) -> int:
        """Size of its files: a parameter is a number of the stored dtype."""
        return self.count_parameters() * getattr(torch, self.stored).itemsize  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Architecture:
    """The models of a foundation, and where their configs were read.

    Args:
        name: Of the repository on the hub, or of the folder.
        source: Where the configs were read.
        components: The models.
        text_length: Tokens that its tokenizer fills prompts up to, where that is known.
    """

    name: str
    source: str
    components: tuple[Component, ...]
    text_length: int | None = None

    def component(self, *names: str) -> Component | None:
        """Return the first component of one of these names."""
        return next((one for one in self.components if one.name in names), None)

    @property
    def trained(self) -> Component:
        """The model that adapters are trained on: the denoiser, or the one model that there is."""
        found = self.component("transformer", "unet", "model")
        if found is None:
            raise MissingError(f"'{self.name}' holds no transformer, unet or single model to train.")
        return found


@cache
def list_published() -> dict[str, Architecture]:
    """Return the published architectures that the package knows, by hub name."""
    found = {}
    for path in sorted(PUBLISHED.glob("*.json")):
        data = json.loads(path.read_text())
        components = tuple(
            Component(name, part["library"], part["class"], part["config"], part["stored"])
            for name, part in data["components"].items()
        )
        found[data["name"]] = Architecture(data["name"], data["source"], components)
    return found


def published(name: str) -> Architecture:
    """Return the published architecture of a hub name, which downloads nothing."""
    if name not in list_published():
        raise MissingError(
            f"The architecture of '{name}' is not among those that stylekit brings "
            f"({', '.join(list_published())}): download its config files and give their folder."
        )
    return list_published()[name]


def read_architecture(folder: Path) -> Architecture:
    """Read the configs of a folder in diffusers' or transformers' layout; its weights are not touched."""
    components = []
    for name, (library, class_name) in list_models(folder).items():
        place = folder if name == "model" else folder / name
        if (place / "config.json").is_file():
            config = json.loads((place / "config.json").read_text())
            stored = _stored(place, str(config.get("dtype") or config.get("torch_dtype") or "float32"))
            components.append(Component(name, library, class_name, config, stored))
    if not components:
        raise MissingError(f"{folder} holds no config.json of a model of diffusers or transformers.")
    return Architecture(folder.name, str(folder), tuple(components), _text_length(folder))


def _text_length(folder: Path) -> int | None:
    for name in ("tokenizer_2", "tokenizer"):
        path = folder / name / "tokenizer_config.json"
        if path.is_file():
            return int(json.loads(path.read_text()).get("model_max_length") or 0) or None
    return None


def _stored(folder: Path, default: str) -> str:
    """Return the dtype of most numbers in the files, from the headers alone."""
    sizes: dict[str, int] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        header.pop("__metadata__", None)
        for entry in header.values():
            start, end = entry["data_offsets"]
            sizes[entry["dtype"]] = sizes.get(entry["dtype"], 0) + end - start
    names = {"F32": "float32", "BF16": "bfloat16", "F16": "float16", "F64": "float64"}
    return names.get(max(sizes, key=sizes.__getitem__), default) if sizes else default
