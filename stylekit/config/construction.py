"""Build the objects that config nodes describe."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, cast

from stylekit.config.signature import convert, describe, signature_of
from stylekit.config.target import TargetError, resolve_target
from stylekit.errors import ConfigError, MissingError

__all__ = ["build", "class_of"]


def build(node: Any, **extra: Any) -> Any:
    """Build a node and the nodes inside it; `extra` adds keywords to, or replaces them in, the outermost.

    A mapping with `_target_` becomes an instance of that class, or with `_partial_: true` a functools.partial
    of it; other mappings and lists are built item by item, and anything else is itself.
    """
    if isinstance(node, list):
        return [build(item) for item in node]
    if not isinstance(node, dict):
        return node
    items = {key: build(value) for key, value in node.items() if key not in {"_target_", "_partial_", *extra}}
    if "_target_" not in node:
        return {**items, **extra}
    cls = class_of(node)
    signature = signature_of(cls)
    if signature is not None:
        for key, value in items.items():
            if key in signature.annotations:
                items[key] = _converted(value, signature.annotations[key], f"{cls.__name__}.{key}")
    keywords = {**items, **extra}
    if node.get("_partial_"):
        return functools.partial(cast("Callable[..., Any]", cls), **keywords)
    return cls(**keywords)


def class_of(node: Mapping[str, Any]) -> type[Any]:
    """Return the class that a node names, as `build` finds it."""
    try:
        return resolve_target(node["_target_"])
    except TargetError as error:
        raise (MissingError if error.is_missing else ConfigError)(str(error)) from error


def _converted(value: Any, annotation: Any, name: str) -> Any:
    try:
        return convert(value, annotation)
    except ValueError as error:
        raise ConfigError(f"{name} must be {describe(annotation)}, not {value!r}.") from error
