"""What a constructor takes: its keywords, and whether a plain value fits an annotation."""

from __future__ import annotations

import inspect
import json
import sys
import types
import typing
from dataclasses import dataclass
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

from stylekit.bounds import describe_bounds

__all__ = ["Signature", "class_fits", "convert", "describe", "signature_of"]

_CONVERTED = (tuple, dict, set, frozenset, Path, float, Enum)


@dataclass(frozen=True)
class Signature:
    """The keywords of a constructor."""

    annotations: dict[
        str, Any
    ]  # every keyword, with inspect.Parameter.empty where there is no usable annotation
    required: tuple[str, ...]
    takes_any: bool  # has **kwargs


def signature_of(cls: type[Any]) -> Signature | None:
    """Read a constructor's signature; None where Python cannot tell (classes written in C)."""
    try:
        parameters = list(inspect.signature(cls).parameters.values())
    except (TypeError, ValueError):
        return None
    named = [one for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)]
    annotations = {one.name: _evaluate(one.annotation, cls) for one in named}
    required = tuple(one.name for one in named if one.default is one.empty)
    return Signature(annotations, required, any(one.kind is one.VAR_KEYWORD for one in parameters))


def convert(value: Any, annotation: Any) -> Any:
    """Return a plain value as its annotation wants it: a list as a tuple, text as a Path.

    Raises ValueError where it does not fit. The rules are those of strict JSON: no text for a number, no
    number for a bool, an integer for a float. Null fits where the annotation has it. What else cannot be
    judged, such as an annotation that names a class of its own, is left as it is.
    """
    adapter = _adapter(annotation)
    if adapter is None:
        if value is None and not _takes_null(annotation):
            raise ValueError("null does not fit")
        return value
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):  # an object that was built, or passed by the caller
        return value
    converted = adapter.validate_json(text, strict=True)
    return converted if isinstance(converted, _CONVERTED) else value


def describe(annotation: Any) -> str:
    """Write an annotation as a reader would."""
    if typing.get_origin(annotation) is typing.Annotated:
        return f"{describe(typing.get_args(annotation)[0])}, {describe_bounds(annotation)}"
    if _is_union(annotation):
        return " | ".join(describe(member) for member in typing.get_args(annotation))
    if annotation is type(None):
        return "null"
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def class_fits(cls: type[Any], annotation: Any) -> bool:
    """Say whether instances of a class can stand for an annotation; True where it cannot be judged."""
    members = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    for member in members:
        origin = typing.get_origin(member) or member
        is_open = origin in (Any, inspect.Parameter.empty)  # classes, too, that nothing is a subclass of
        if is_open or not isinstance(origin, type) or getattr(origin, "_is_protocol", False):
            return True
        try:
            if issubclass(cls, origin):
                return True
        except TypeError:
            return True
    return False


def _evaluate(annotation: Any, cls: type[Any]) -> Any:
    if not isinstance(annotation, str):
        return annotation
    for (
        owner
    ) in cls.__mro__:  # the constructor may be inherited; its names belong to the module that wrote it
        if "__init__" in vars(owner) or "__new__" in vars(owner) or owner is cls:
            names = vars(sys.modules[owner.__module__])
            try:
                return eval(annotation, dict(names))  # the text is source code of the class, not of a config
            except Exception:  # names that exist for type checkers only
                continue
    return inspect.Parameter.empty


@cache
def _cached_adapter(annotation: Any) -> Any:
    from pydantic import ConfigDict, TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    except (PydanticUserError, TypeError, NameError):
        return None


def _adapter(annotation: Any) -> Any:
    if annotation is inspect.Parameter.empty or not _is_simple(annotation):
        return None
    try:
        return _cached_adapter(annotation)
    except TypeError:  # unhashable, as Literal[[...]]
        return None


_ANYTHING = (Any, object, inspect.Parameter.empty, type(None))


def _takes_null(annotation: Any) -> bool:
    members = typing.get_args(annotation) if _is_union(annotation) else (annotation,)
    return any(member in _ANYTHING or isinstance(member, typing.TypeVar) for member in members)


_SIMPLE = (int, float, str, bool, Path, type(None), list, tuple, dict, set, frozenset)


def _is_simple(annotation: Any) -> bool:
    """Say whether a plain value could satisfy the annotation at all."""
    origin = typing.get_origin(annotation)
    if origin is typing.Literal or annotation in (Any, None):
        return True
    if _is_union(annotation):
        return any(_is_simple(member) for member in typing.get_args(annotation))
    if origin is typing.Annotated:
        return _is_simple(typing.get_args(annotation)[0])
    return _is_plain_class(origin or annotation)


def _is_plain_class(cls: Any) -> bool:
    if not isinstance(cls, type):
        return False
    return cls in _SIMPLE or issubclass(cls, Enum) or cls.__module__ == "collections.abc"


def _is_union(annotation: Any) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)
