"""Check every node of a config against its constructor, before anything is built."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from stylekit.config.composition import Config
from stylekit.config.construction import build
from stylekit.config.document import KeyPath
from stylekit.config.interpolation import MISSING
from stylekit.config.mistake import Mistake, raise_mistakes, suggestion
from stylekit.config.signature import Signature, class_fits, convert, describe, signature_of
from stylekit.config.target import TargetError, resolve_target
from stylekit.errors import ConfigError

__all__ = ["check", "find_mistakes"]

_NODE_KEYS = ("_target_", "_partial_")


def check(config: Config, needs: Sequence[str] = (), group: str = "experiment") -> None:
    """Raise one error that lists every mistake of a config; `needs` names the groups that must be chosen.

    `group` is the folder that it was composed from.

    Where everything fits its constructor, stages, data and benchmark are built, which loads nothing, to hear
    what they say of settings that do not go together.
    """
    absent = [
        Mistake("the experiment", f"names no {group}; choose one with {group}=NAME.")
        for group in needs
        if not config.values.get(group)
    ]
    mistakes = [*absent, *find_mistakes(config)]
    raise_mistakes(mistakes or _refusals(config), f"{group} {config.name!r}")


def _refusals(config: Config) -> list[Mistake]:
    """List what the constructors of settings refuse."""
    nodes = {f"stages.{stage}": node for stage, node in config.stages.items()}
    nodes |= {key: config.values[key] for key in ("data", "benchmark") if config.values.get(key)}
    refusals = []
    for path, node in nodes.items():
        try:
            build(node)
        except ConfigError as error:
            refusals.append(Mistake(config.origin(path), f"{path}: {error}"))
    return refusals


def find_mistakes(config: Config) -> list[Mistake]:
    """List the mistakes of a composed config; imports what `_target_` names, builds nothing."""
    finder = _Finder(config)
    for key, kind in (("seed", int), ("runs", str), ("name", str), ("stages", dict)):
        value = config.values.get(key)
        if value != MISSING and (not isinstance(value, kind) or isinstance(value, bool)):
            finder.add((key,), f"{key} must be {_KINDS[kind]}, not {value!r}.")
    if not isinstance(learned := config.values.get("learned"), str | None):
        finder.add(("learned",), f"learned must be the path or name of what was learned, not {learned!r}.")
    seed = config.values.get("seed")
    if isinstance(seed, int) and not 0 <= seed < 2**32:
        finder.add(("seed",), f"seed must lie between 0 and {2**32 - 1}, not {seed}.")
    if ".." in config.name or config.name.startswith("/"):
        finder.add(("name",), f"name becomes a folder below runs; {config.name!r} would lie elsewhere.")
    for key, value in config.values.items():
        if key != "choices":
            finder.visit(value, (key,))
    finder.check_stages()
    return finder.mistakes


_KINDS = {int: "a whole number", str: "text", dict: "a mapping"}


class _Finder:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.mistakes: list[Mistake] = []
        self.classes: dict[KeyPath, type[Any]] = {}

    def add(self, path: KeyPath, what: str, is_missing: bool = False) -> None:
        self.mistakes.append(Mistake(self.config.origin(".".join(path)), what, is_missing))

    def visit(self, node: Any, path: KeyPath) -> None:
        """Check a node and what is below it, the inner nodes first."""
        if ".".join(path) in self.config.links:
            self.note_class(node, path)
        elif isinstance(node, list):
            for index, item in enumerate(node):
                self.visit(item, (*path, str(index)))
        elif isinstance(node, dict):
            for key, item in node.items():
                if key not in _NODE_KEYS:
                    self.visit(item, (*path, key))
            if "_target_" in node:
                self.check_node(node, path)
            elif "_partial_" in node:
                self.add((*path, "_partial_"), f"{'.'.join(path)} has _partial_ but no _target_.")
        elif node == MISSING:
            name = ".".join(path)
            self.add(path, f"{name} has no value; give it one with {name}=VALUE.")

    def note_class(self, node: Any, path: KeyPath) -> None:
        """Remember the class of an interpolated node, which is checked where it is written."""
        if isinstance(node, dict) and "_target_" in node and node.get("_partial_") is not True:
            with contextlib.suppress(TargetError):
                self.classes[path] = resolve_target(node["_target_"])

    def check_node(self, node: dict[str, Any], path: KeyPath) -> None:
        partial = node.get("_partial_", False)
        if not isinstance(partial, bool):
            self.add((*path, "_partial_"), f"_partial_ must be true or false, not {partial!r}.")
        try:
            cls = resolve_target(node["_target_"])
        except TargetError as error:
            self.add((*path, "_target_"), f"{'.'.join(path)}: {error}", error.is_missing)
            return
        if partial is not True:
            self.classes[path] = cls
        signature = signature_of(cls)
        if signature is None:
            return
        self.check_keys(node, path, cls, signature)
        for key, value in node.items():
            if key in signature.annotations and value != MISSING:
                self.check_value(value, (*path, key), cls, signature.annotations[key])

    def check_keys(self, node: dict[str, Any], path: KeyPath, cls: type[Any], signature: Signature) -> None:
        name = ".".join(path)
        for key in node:
            if key in _NODE_KEYS or key in signature.annotations:
                continue
            if key.startswith("_") or not signature.takes_any:
                choices = suggestion(key, signature.annotations)
                self.add((*path, key), f"{name}: {cls.__name__} takes no {key!r}. {choices}")
        if node.get("_partial_") is True:
            return
        for key in signature.required:
            if key not in node:
                self.add(path, f"{name}: {cls.__name__} needs {key!r}; set {name}.{key}.")

    def check_value(self, value: Any, path: KeyPath, cls: type[Any], annotation: Any) -> None:
        if built := self.classes.get(path):
            if not class_fits(built, annotation):
                wanted = describe(annotation)
                self.add(path, f"{'.'.join(path)} must be {wanted} for {cls.__name__}, not {built.__name__}.")
            return
        if _holds_node(value):
            return
        try:
            convert(value, annotation)
        except ValueError:
            wanted, given = describe(annotation), "null" if value is None else repr(value)
            self.add(path, f"{'.'.join(path)} must be {wanted} for {cls.__name__}, not {given}.")

    def check_stages(self) -> None:
        method, stages = self.classes.get(("method",)), self.config.values.get("stages")
        known = getattr(method, "stages", None)
        if not isinstance(known, tuple) or not isinstance(stages, dict):
            return
        for stage, node in stages.items():
            if stage in known:
                if node is not None and (not isinstance(node, dict) or "_target_" not in node):
                    self.add(
                        ("stages", stage),
                        f"stages.{stage} says nothing to build; give it _target_: stylekit.stage.Stage, "
                        "or null to leave it out.",
                    )
            else:
                name = self.config.choices.get("method", "the method")
                if known:
                    self.add(("stages", stage), f"{name} has no stage {stage!r}. {suggestion(stage, known)}")
                else:
                    self.add(
                        ("stages", stage), f"{name} is training-free and has no stages; remove {stage!r}."
                    )


def _holds_node(value: Any) -> bool:
    if isinstance(value, dict):
        return "_target_" in value or any(_holds_node(item) for item in value.values())
    return isinstance(value, list) and any(_holds_node(item) for item in value)
