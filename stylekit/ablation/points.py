"""Axes, and the points that they span."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from stylekit.config.document import parse_value
from stylekit.config.mistake import suggestion
from stylekit.errors import ConfigError

__all__ = ["Axes", "Point", "expand", "label", "override"]

Axes = Mapping[str, Mapping[str, Sequence[str]] | Sequence[Any]]


@dataclass(frozen=True)
class Point:
    """One combination: a label on every axis, and the overrides that make it."""

    labels: tuple[tuple[str, str], ...]
    overrides: tuple[str, ...]

    @property
    def name(self) -> str:
        """The labels in one line; also of files."""
        return ",".join(f"{axis}={name}" for axis, name in self.labels) or "all"


def expand(axes: Axes, exclude: Sequence[Mapping[str, Any]] = ()) -> list[Point]:
    """Combine the values of all axes, the last axis fastest, without what is excluded.

    A combination is excluded if a rule names its label on every axis that the rule names.
    """
    choices = {axis: _choices(axis, values) for axis, values in axes.items()}
    rules = [_rule(rule, choices) for rule in exclude]
    points = []
    for combination in itertools.product(*choices.values()):
        labels = dict(zip(choices, combination, strict=True))
        if any(all(labels[axis] in excluded for axis, excluded in rule.items()) for rule in rules):
            continue
        texts = [text for axis, name in labels.items() for text in choices[axis][name]]
        points.append(Point(tuple(labels.items()), tuple(texts)))
    if not points:
        raise ConfigError("Every combination is excluded: nothing is left to run.")
    return points


def override(key: str, value: Any) -> str:
    """Write a value as an override that is read back as the same value."""
    return f"{key}={value if isinstance(value, str) and _is_plain(value) else json.dumps(value)}"


def _is_plain(text: str) -> bool:
    try:
        return bool(parse_value(text) == text)
    except yaml.YAMLError:
        return False


def _choices(axis: str, values: Any) -> dict[str, tuple[str, ...]]:
    """Map the labels of an axis to overrides: a list of values of a key, or named lists of overrides."""
    if isinstance(values, Mapping):
        for name, texts in values.items():
            if isinstance(texts, str) or not isinstance(texts, Sequence):
                raise ConfigError(f"axes.{axis}.{name} must be a list of overrides, not {texts!r}.")
        found = {str(name): tuple(map(str, texts)) for name, texts in values.items()}
    elif isinstance(values, Sequence) and not isinstance(values, str):
        found = {label(value): (override(axis, value),) for value in values}
        if len(found) < len(values):
            raise ConfigError(f"axes.{axis} names a value twice: {', '.join(map(label, values))}.")
    else:
        raise ConfigError(
            f"axes.{axis} must be a list of values of the key {axis}, or a mapping from names to lists of "
            f"overrides, not {values!r}."
        )
    if not found:
        raise ConfigError(f"axes.{axis} is empty.")
    return found


def _rule(rule: Mapping[str, Any], choices: Mapping[str, Mapping[str, Any]]) -> dict[str, set[str]]:
    found = {}
    for axis, values in rule.items():
        if axis not in choices:
            raise ConfigError(f"exclude names {axis!r}, which is no axis. {suggestion(axis, choices)}")
        listed = values if isinstance(values, Sequence) and not isinstance(values, str) else [values]
        for value in map(label, listed):
            if value not in choices[axis]:
                raise ConfigError(
                    f"exclude: axis {axis} has no value {value!r}. {suggestion(value, choices[axis])}"
                )
        found[axis] = set(map(label, listed))
    return found


def label(value: Any) -> str:
    """Write a value as tables and file names show it."""
    return value if isinstance(value, str) else json.dumps(value)
