"""What a step depends on, as a digest: when it changes, the step is done again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from stylekit import __version__
from stylekit.config.target import resolve_target

__all__ = ["settings_of", "step_digest"]


def step_digest(settings: Mapping[str, Any], before: str, inputs: str) -> str:
    """Hash the settings of a step and what it reads."""
    text = json.dumps([settings, before, inputs, __version__], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def settings_of(node: Any) -> Any:
    """Return a config node without what does not change the rows that it gives."""
    if isinstance(node, list):
        return [settings_of(item) for item in node]
    if not isinstance(node, dict):
        return node
    dropped = frozenset[str]()
    if "_target_" in node:
        dropped = getattr(resolve_target(node["_target_"]), "not_in_digest", dropped)
    return {key: settings_of(value) for key, value in node.items() if key not in dropped}
