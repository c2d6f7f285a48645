"""What is merged so far while an experiment is composed."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

from stylekit.config.document import KeyPath
from stylekit.config.folders import ConfigDir
from stylekit.config.mistake import Mistake

__all__ = ["Draft", "key_paths", "overlay"]


@dataclass
class Draft:
    """Values with their origins, and the mistakes met on the way."""

    dirs: list[ConfigDir]
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, str] = field(default_factory=dict)
    choices: dict[str, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def fail(self, where: str, what: str) -> None:
        """Note a mistake and go on, so that the user sees all of them."""
        self.mistakes.append(Mistake(where, what))


def overlay(
    into: dict[str, Any],
    origins: dict[KeyPath, str],
    path: KeyPath,
    values: dict[str, Any],
    value_origins: dict[KeyPath, str],
    value_path: KeyPath,
) -> None:
    """Merge `values` into `into` at `path`, mapping by mapping; anything else replaces what was there."""
    node = into
    for key in path:
        node = node[key]
    for key, value in values.items():
        here, there = (*path, key), (*value_path, key)
        if isinstance(value, dict) and isinstance(node.get(key), dict):
            origins[here] = value_origins.get(there, origins.get(here, ""))
            overlay(into, origins, here, value, value_origins, there)
            continue
        for known in [known for known in origins if known[: len(here)] == here]:
            del origins[known]
        node[key] = copy.deepcopy(value)
        for known, origin in value_origins.items():
            if known[: len(there)] == there:
                origins[(*here, *known[len(there) :])] = origin


def key_paths(value: Any) -> list[KeyPath]:
    """List the key paths of a value, its own empty one first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((str(key), *below) for key, item in items for below in key_paths(item))]
