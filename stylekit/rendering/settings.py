"""What renders, as a config that builds it again, and a digest of all that it is made of."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from stylekit.code_digest import code_digest
from stylekit.config import Config, check
from stylekit.config.target import resolve_target
from stylekit.file_digest import file_digest
from stylekit.foundation.locate import locate
from stylekit.learned import build_method, compose_learned, learned_file, refuse_unlearned
from stylekit.method import StyleRenderer

__all__ = ["Settings", "find_settings"]

_WEIGHTS = ("name_or_path", "lora")


@dataclass(frozen=True)
class Settings:
    """A method with all its settings and the file of what it learned."""

    config: Config

    @property
    def digest(self) -> str:
        """Of the method's code and settings, what it learned, and all local files of foundations and LoRAs.

        What the hub gives under a name is taken to stay: a foundation's `revision` fixes it.
        """
        text = json.dumps(self.config.values["method"], sort_keys=True)
        parts = hashlib.sha256(text.encode())
        parts.update(code_digest(resolve_target(self.config.values["method"]["_target_"])).encode())
        for file in _files(self.config):
            parts.update(f"{file.name} {file_digest(file)}".encode())
        return parts.hexdigest()[:16]

    def to_yaml(self) -> str:
        """Write what `render` reads back as an experiment."""
        values = self.config.values
        kept = {key: values[key] for key in ("name", "learned", "method", "foundation") if key in values}
        choices = {key: name for key, name in self.config.choices.items() if key in kept}
        return replace(self.config, values=kept | {"choices": choices}).to_yaml()

    def load(self) -> StyleRenderer[Any]:
        """Build the method, with what it learned, on the best device there is."""
        method = build_method(self.config)
        assert isinstance(method, StyleRenderer)
        return method.to(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def find_settings(target: str | Path, overrides: Sequence[str], config_dirs: Sequence[Path]) -> Settings:
    """Find what a target names: a finished run, an exported file, or an experiment."""
    config = compose_learned(target, overrides, config_dirs)
    check(config, needs=("method",))
    refuse_unlearned(config)  # to be heard of before images are read
    return Settings(config)


def _files(config: Config) -> Iterator[Path]:
    """Yield what was learned, the weights of foundations and LoRAs in folders, and all other files named."""
    learned = learned_file(config)
    if learned is not None:
        yield learned
    for key, name in _names("method", config.values["method"]):
        path = Path(locate(name) if key == "name_or_path" else name).expanduser()
        if key in _WEIGHTS and path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.is_file())
        elif os.path.isfile(path):  # no text is too long for it, as some are for Path.is_file
            yield path


def _names(key: str, node: Any) -> Iterator[tuple[str, str]]:
    """Yield every text, with the key that it stands under."""
    if isinstance(node, str):
        yield key, node
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from _names(name, value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(key, value)
