"""Overrides: `group=name` chooses a file, `a.b.c=value` sets a value."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import yaml

from stylekit.config import folders
from stylekit.config.document import KeyPath, parse_value
from stylekit.config.draft import Draft, key_paths
from stylekit.config.folders import GROUPS
from stylekit.config.mistake import suggestion

__all__ = ["SETTINGS", "Override", "apply_override", "parse_overrides"]

SETTINGS = ("name", "seed", "runs", "learned", "stages", "choices")


class Override(NamedTuple):
    """One override, with its value read as YAML."""

    where: str
    path: KeyPath
    value: Any

    @property
    def is_choice(self) -> bool:
        """Whether it chooses a file of a group."""
        return len(self.path) == 1 and self.path[0] in GROUPS


def parse_overrides(texts: Sequence[str], draft: Draft) -> list[Override]:
    """Read overrides; those that cannot be read become mistakes of the draft."""
    parsed = []
    for text in texts:
        where = f"override {text!r}"
        key, equals, raw = text.partition("=")
        path = tuple(key.strip().split("."))
        if not equals or not all(re.fullmatch(r"\w[\w-]*", part) for part in path):
            draft.fail(where, "write group=name to choose a file or a.b.c=value to set a value.")
            continue
        try:
            parsed.append(Override(where, path, parse_value(raw)))
        except yaml.YAMLError as error:
            problem = getattr(error, "problem", None) or error
            draft.fail(where, f"the value is not YAML: {problem}.")
    return parsed


def apply_override(override: Override, draft: Draft) -> None:
    """Set an existing key, or a constructor's keyword that the files leave at its default."""
    where, path, value = override
    node: Any = draft.values
    for depth, key in enumerate(path):
        is_last = depth == len(path) - 1
        if isinstance(node, list) and key.isdigit() and int(key) < len(node):
            index: Any = int(key)
        elif isinstance(node, dict) and (key in node or (is_last and _takes(node, path[:depth], key))):
            index = key
        else:
            draft.fail(where, _no_such_key(path, depth, node, draft))
            return
        if is_last:
            node[index] = copy.deepcopy(value)
            for known in [known for known in draft.origins if known[: len(path)] == path]:
                del draft.origins[known]
            draft.origins.update({(*path, *below): where for below in key_paths(value)})
        else:
            node = node[index]


def _takes(node: dict[str, Any], path: KeyPath, key: str) -> bool:
    return "_target_" in node or (not path and key in SETTINGS and key != "choices")


def _no_such_key(path: KeyPath, depth: int, node: Any, draft: Draft) -> str:
    parent, key = ".".join(path[:depth]), path[depth]
    if depth == 0:
        if key in GROUPS:
            names = ", ".join(folders.list_group(key, draft.dirs)) or "none found"
            return f"the experiment names no {key}; choose one with {key}=NAME. Valid: {names}."
        return f"there is no key {key!r}. {_same_ending(path, draft)}{suggestion(key, draft.values)}"
    if isinstance(node, str) and (whole := re.fullmatch(r"\$\{([\w.]+)\}", node)):
        return f"{parent} is {node}; set {'.'.join((whole[1], *path[depth:]))} instead."
    if isinstance(node, dict):
        return f"{parent} has no key {key!r}. {_same_ending(path, draft)}{suggestion(key, node)}"
    if isinstance(node, list):
        return f"{parent} is a list of {len(node)}; {key!r} is not one of its positions."
    return f"{parent} is {node!r} and has no keys; set {parent} itself."


def _same_ending(path: KeyPath, draft: Draft) -> str:
    same = [".".join(known) for known in draft.origins if known[-1] == path[-1] and known != path]
    return f"Did you mean {same[0]!r}? " if len(same) == 1 else ""
