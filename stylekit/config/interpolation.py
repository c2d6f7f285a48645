"""Resolve `${key}` once, after everything is merged."""

from __future__ import annotations

import re
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException

from stylekit.config.document import KeyPath
from stylekit.config.mistake import Mistake, suggestion

__all__ = ["MISSING", "resolve"]

MISSING = "???"
_INNERMOST = re.compile(r"\$\{([^${}]*)\}")
_KEY = re.compile(r"\.*[A-Za-z_]\w*(\.\w+|\[\d+\])*")
_WHOLE = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")


def resolve(
    values: dict[str, Any], origins: dict[KeyPath, str]
) -> tuple[dict[str, Any], dict[str, str], list[Mistake]]:
    """Return the values without interpolations, the keys that were one and what it named, and the mistakes.

    `origins` gains the keys that an interpolation brought in.
    """
    mistakes: list[Mistake] = []
    links: dict[KeyPath, KeyPath] = {}
    screened = _screen(values, (), origins, links, mistakes)
    resolver = _Resolver(origins, mistakes, _dotted_keys(screened))
    resolved = resolver.walk(OmegaConf.create(screened), ())
    _follow(links, origins)
    return resolved, {".".join(path): ".".join(target) for path, target in links.items()}, mistakes


def _screen(
    node: Any,
    path: KeyPath,
    origins: dict[KeyPath, str],
    links: dict[KeyPath, KeyPath],
    mistakes: list[Mistake],
) -> Any:
    """Blank every interpolation that is more than the name of a key."""
    if isinstance(node, dict):
        return {key: _screen(item, (*path, key), origins, links, mistakes) for key, item in node.items()}
    if isinstance(node, list):
        return [_screen(item, (*path, str(i)), origins, links, mistakes) for i, item in enumerate(node)]
    if not isinstance(node, str) or "${" not in node:
        return node
    text = node
    while found := _INNERMOST.search(text):
        if not _KEY.fullmatch(found[1]):
            mistakes.append(Mistake(_where(path, origins), _refusal(node)))
            return None
        text = text[: found.start()] + "x" + text[found.end() :]
    if "${" in text:
        mistakes.append(Mistake(_where(path, origins), f"{node!r} opens `${{` and does not close it."))
        return None
    if whole := _WHOLE.fullmatch(node):
        links[path] = tuple(whole[1].split("."))
    return node


def _refusal(text: str) -> str:
    return (
        f"{text!r} may only name other keys, as in ${{seed}}. "
        "Environment variables are not read into configs, "
        "since resolved configs are written to disk: pass the value as an override, or let the class read it."
    )


class _Resolver:
    def __init__(self, origins: dict[KeyPath, str], mistakes: list[Mistake], keys: list[str]) -> None:
        self.origins = origins
        self.mistakes = mistakes
        self.keys = keys
        self.followed: list[Any] = []

    def walk(self, node: Any, path: KeyPath) -> Any:
        if isinstance(node, DictConfig):
            return {key: self.value(node, key, (*path, str(key))) for key in node}
        if isinstance(node, ListConfig):
            return [self.value(node, index, (*path, str(index))) for index in range(len(node))]
        return node

    def value(self, parent: Any, key: Any, path: KeyPath) -> Any:
        if OmegaConf.is_missing(parent, key) and not OmegaConf.is_interpolation(parent, key):
            return MISSING
        if not OmegaConf.is_interpolation(parent, key):
            return self.walk(parent[key], path)
        raw = parent._get_node(key)._value()
        try:
            target = parent[key]
        except InterpolationToMissingValueError:
            return MISSING
        except RecursionError:
            return self.fail(path, f"{raw!r} refers to itself.")
        except OmegaConfBaseException:
            wanted = raw.strip("${}")
            if wanted in self.keys:
                return self.fail(path, f"{raw!r} refers to itself.")
            near = [key for key in self.keys if key.count(".") <= max(1, wanted.count("."))]
            return self.fail(path, f"{raw!r} names a key that is not there. {suggestion(wanted, near)}")
        if any(target is one for one in self.followed):
            return self.fail(path, f"{raw!r} refers to itself.")
        self.followed.append(target)
        try:
            return self.walk(target, path)
        finally:
            self.followed.pop()

    def fail(self, path: KeyPath, what: str) -> None:
        if not self.followed:  # inside a followed node the mistake is reported at its own place
            self.mistakes.append(Mistake(_where(path, self.origins), what))


def _where(path: KeyPath, origins: dict[KeyPath, str]) -> str:
    while path and path not in origins:
        path = path[:-1]
    return origins.get(path, "the experiment")


def _dotted_keys(values: dict[str, Any]) -> list[str]:
    keys = []
    for key, item in values.items():
        keys.append(key)
        if isinstance(item, dict):
            keys += [f"{key}.{below}" for below in _dotted_keys(item) if not below.startswith("_")]
    return keys


def _follow(links: dict[KeyPath, KeyPath], origins: dict[KeyPath, str], rounds: int = 8) -> None:
    """Give the keys below an interpolated node the origin of what it names; chains settle in rounds."""
    for _ in range(rounds):
        added = {
            (*path, *known[len(target) :]): origin
            for path, target in links.items()
            for known, origin in origins.items()
            if len(known) > len(target) and known[: len(target)] == target
        }
        if added.items() <= origins.items() or len(origins) > 100_000:
            return
        origins.update(added)
