"""Ranges of settings, said once, in the annotation.

A config is checked against them before anything is built (stylekit.config), and `bounded` holds a constructor
to them when it is called from Python.
"""

from __future__ import annotations

import functools
import inspect
import operator
import typing
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

from annotated_types import Ge, Gt, Le, Lt

from stylekit.errors import ConfigError

__all__ = [
    "AboveZero",
    "AtLeastTwo",
    "Count",
    "Fraction",
    "NonNegative",
    "Positive",
    "Probability",
    "ProperFraction",
    "Share",
    "bounded",
    "describe_bounds",
]

Count = Annotated[int, Ge(0)]
Positive = Annotated[int, Ge(1)]
AtLeastTwo = Annotated[int, Ge(2)]
Probability = Annotated[float, Ge(0), Le(1)]
Fraction = Annotated[float, Ge(0), Lt(1)]
ProperFraction = Annotated[float, Gt(0), Lt(1)]
Share = Annotated[float, Gt(0), Le(1)]
NonNegative = Annotated[float, Ge(0)]
AboveZero = Annotated[float, Gt(0)]

_RULES: dict[type[Any], tuple[str, Callable[[Any, Any], bool], str]] = {
    Ge: ("ge", operator.ge, "at least"),
    Gt: ("gt", operator.gt, "above"),
    Le: ("le", operator.le, "at most"),
    Lt: ("lt", operator.lt, "below"),
}

P = ParamSpec("P")
T = TypeVar("T")


def bounded(init: Callable[Concatenate[T, P], None]) -> Callable[Concatenate[T, P], None]:
    """Refuse arguments of a constructor outside the ranges of their annotations, all in one error."""
    signature = inspect.signature(init)

    @functools.wraps(init)
    def checked(self: T, /, *args: P.args, **kwargs: P.kwargs) -> None:
        given = signature.bind(self, *args, **kwargs).arguments
        mistakes = [
            f"{name} must be {describe_bounds(annotation)}, not {given[name]}."
            for name, annotation in _hints(init).items()
            if name in given and not _is_within(given[name], annotation)
        ]
        if mistakes:
            raise ConfigError("\n".join(f"{type(self).__name__}: {mistake}" for mistake in mistakes))
        init(self, *args, **kwargs)

    return checked


def describe_bounds(annotation: Any) -> str:
    """Say the ranges of an annotation in words, as in `at least 1`; empty where it has none."""
    return " and ".join(f"{text} {limit:g}" for _, limit, text in _bounds(annotation))


def _is_within(value: Any, annotation: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return True
    return all(holds(value, limit) for holds, limit, _ in _bounds(annotation))


def _bounds(annotation: Any) -> Iterator[tuple[Callable[[Any, Any], bool], Any, str]]:
    """Yield the rules of an annotation, or of the members of a union."""
    for member in typing.get_args(annotation):
        if type(member) in _RULES:
            name, holds, text = _RULES[type(member)]
            yield holds, getattr(member, name), text
        elif typing.get_origin(member) is Annotated:
            yield from _bounds(member)


@functools.cache
def _hints(init: Callable[..., None]) -> dict[str, Any]:
    return typing.get_type_hints(init, include_extras=True)
