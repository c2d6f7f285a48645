"""What renders, as a config that builds it again, and a digest of all that it is made of."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from stylekit.code_digest import code_digest
from stylekit.config import Config, check
from stylekit.config.target import resolve_target
from stylekit.file_digest import files_digest
from stylekit.learned import build_method, compose_learned, method_files, refuse_unlearned
from stylekit.method import StyleRenderer

__all__ = ["Settings", "find_settings"]


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
        parts.update(files_digest(method_files(self.config)).encode())
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
