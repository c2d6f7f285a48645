"""Compose an experiment: its file, the group files it names, then overrides; resolved once at the end."""

from __future__ import annotations

import copy
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stylekit.config import folders
from stylekit.config.document import Document, KeyPath, parse_value, read_document
from stylekit.config.folders import GROUPS, ConfigDir
from stylekit.config.mistake import Mistake, raise_mistakes, suggestion

__all__ = ["Config", "compose", "compose_group", "digest"]

_DEFAULTS: dict[str, Any] = {"seed": 0, "runs": "runs", "stages": {}}
_SETTINGS = ("name", "seed", "runs", "stages", "choices")
_NOT_IN_DIGEST = ("name", "runs", "tracking", "choices")


@dataclass(frozen=True)
class Config:
    """A composed experiment: plain values without interpolations, and where each comes from.

    `origins` maps a dotted key to "file:line" or to the override that set it. `values["choices"]` keeps the
    name of the file that each group came from, so that a resolved config read back still knows it.
    """

    name: str
    values: dict[str, Any]
    origins: dict[str, str]
    overrides: tuple[str, ...] = ()
    links: frozenset[str] = frozenset()  # keys that were `${key}`: what they hold is written elsewhere

    @property
    def choices(self) -> dict[str, str]:
        """The name of the file chosen for each group."""
        return dict(self.values.get("choices") or {})

    def origin(self, path: str) -> str:
        """Say where a dotted key, or the nearest key above it, was set."""
        while path and path not in self.origins:
            path = path.rpartition(".")[0]
        return self.origins.get(path, "the experiment")

    def to_yaml(self) -> str:
        """Write the resolved values; `compose` reads the text back."""
        return yaml.safe_dump(self.values, sort_keys=False, allow_unicode=True, width=10**6)


@dataclass
class _Draft:
    """What is merged so far."""

    dirs: list[ConfigDir]
    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[KeyPath, str] = field(default_factory=dict)
    choices: dict[str, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def compose(experiment: str, overrides: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()) -> Config:
    """Compose an experiment, named or given as a YAML file, with overrides.

    `group=name` chooses another file of a group and drops what the experiment changed in the old one;
    `a.b.c=value` sets a value. Raises one ConfigError that lists every mistake.
    """
    draft = _Draft(folders.config_dirs(config_dirs))
    draft.mistakes += folders.unusable_dirs(draft.dirs)
    document, name = _read_experiment(experiment, draft)
    _gather(document, draft, _parse_overrides(overrides, draft.mistakes))
    return _finish(draft, name, tuple(overrides), f"experiment {experiment!r}")


def compose_group(
    group: str, name: str, overrides: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()
) -> Config:
    """Compose one file of a group alone, under its group's key, as if an experiment named nothing else."""
    draft = _Draft(folders.config_dirs(config_dirs))
    draft.mistakes += folders.unusable_dirs(draft.dirs)
    document = Document(Path(), {group: name}, {(group,): f"{group} {name!r}"})
    _gather(document, draft, _parse_overrides(overrides, draft.mistakes))
    return _finish(draft, name, tuple(overrides), f"{group} {name!r}")


def digest(config: Config) -> str:
    """Hash what a run computes: the resolved values without names, folders and tracking."""
    kept = {key: value for key, value in config.values.items() if key not in _NOT_IN_DIGEST}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _read_experiment(experiment: str, draft: _Draft) -> tuple[Document, str]:
    path = Path(experiment)
    if path.suffix in {".yaml", ".yml"}:
        document = read_document(path)
        raise_mistakes([*draft.mistakes, *document.mistakes], f"experiment {experiment!r}")
        return _with_base(document, "experiment", draft, ()), str(document.values.get("name") or path.stem)
    loaded = _load(experiment, "experiment", f"experiment {experiment!r}", draft, ())
    if loaded is None:
        raise_mistakes(draft.mistakes, f"experiment {experiment!r}")
    assert loaded is not None
    return loaded, str(loaded.values.get("name") or experiment)


def _load(name: str, group: str, where: str, draft: _Draft, above: tuple[str, ...]) -> Document | None:
    """Read a file of a group together with the files that it builds on."""
    if name in above:
        draft.mistakes.append(
            Mistake(where, f"{group} {name!r} builds on itself: {' -> '.join((*above, name))}.")
        )
        return None
    found = folders.find_file(group, name, draft.dirs)
    if isinstance(found, str):
        draft.mistakes.append(Mistake(where, found))
        return None
    document = read_document(found)
    if document.mistakes:
        draft.mistakes += document.mistakes
        return None
    return _with_base(document, group, draft, (*above, name))


def _with_base(document: Document, group: str, draft: _Draft, above: tuple[str, ...]) -> Document:
    """Put a file that opens with `_file_: other` on top of that other file of its group."""
    if "_file_" not in document.values:
        return document
    base_name = document.values.pop("_file_")
    where = document.origins.pop(("_file_",))
    base = _load(str(base_name), group, where, draft, above)
    if base is None:
        return document
    _overlay(base.values, base.origins, (), document.values, document.origins, ())
    return Document(document.path, base.values, base.origins)


def _gather(document: Document, draft: _Draft, overrides: list[tuple[str, KeyPath, Any]]) -> None:
    chosen = {path[0]: (text, value) for text, path, value in overrides if _chooses(path)}
    for key, value in _DEFAULTS.items():
        draft.values[key] = copy.deepcopy(value)
        draft.origins[(key,)] = "default"
    kept_choices = document.values.get("choices")
    for key, value in document.values.items():
        where = document.origins[(key,)]
        if key in GROUPS:
            if key not in chosen:
                _choose(key, value, where, document, draft)
        elif key not in _SETTINGS:
            keys = (*GROUPS, *_SETTINGS)
            draft.mistakes.append(
                Mistake(where, f"an experiment has no key {key!r}. {suggestion(key, keys)}")
            )
        elif key != "choices":
            draft.values.pop(key, None)
            _overlay(draft.values, draft.origins, (), {key: value}, document.origins, ())
    if isinstance(kept_choices, dict):
        draft.choices = {**kept_choices, **draft.choices}
    for group, (text, value) in chosen.items():
        origins = {(group, *path): f"override {text!r}" for path in _paths(value)}
        _choose(group, value, f"override {text!r}", Document(Path(), {group: value}, origins), draft)
    for text, path, value in overrides:
        if not _chooses(path):
            _set(text, path, value, draft)


def _chooses(path: KeyPath) -> bool:
    return len(path) == 1 and path[0] in GROUPS


def _choose(group: str, value: Any, where: str, document: Document, draft: _Draft) -> None:
    """Fill a group from a file's name, or from a mapping with `_file_` and changes, or from a whole node."""
    draft.choices.pop(group, None)
    draft.values.pop(group, None)
    if value is None:
        return
    draft.origins[(group,)] = where
    if isinstance(value, str):
        value = {"_file_": value}
    if not isinstance(value, dict):
        names = folders.list_group(group, draft.dirs)
        draft.mistakes.append(
            Mistake(where, f"{group} takes the name of a file. {suggestion(str(value), names)}")
        )
        return
    changes = {key: item for key, item in value.items() if key != "_file_"}
    draft.values[group] = {}
    if "_file_" in value:
        name = str(value["_file_"])
        base = _load(name, group, where, draft, ())
        if base is None:
            return
        draft.choices[group] = name
        _overlay(draft.values, draft.origins, (group,), base.values, base.origins, ())
    _overlay(draft.values, draft.origins, (group,), changes, document.origins, (group,))


def _overlay(
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
            _overlay(into, origins, here, value, value_origins, there)
            continue
        for known in [known for known in origins if known[: len(here)] == here]:
            del origins[known]
        node[key] = copy.deepcopy(value)
        for known, origin in value_origins.items():
            if known[: len(there)] == there:
                origins[(*here, *known[len(there) :])] = origin


def _parse_overrides(overrides: Sequence[str], mistakes: list[Mistake]) -> list[tuple[str, KeyPath, Any]]:
    parsed = []
    for text in overrides:
        key, equals, raw = text.partition("=")
        path = tuple(key.strip().split("."))
        if not equals or not all(re.fullmatch(r"\w[\w-]*", part) for part in path):
            mistakes.append(
                Mistake(
                    f"override {text!r}", "write group=name to choose a file or a.b.c=value to set a value."
                )
            )
            continue
        try:
            parsed.append((text, path, parse_value(raw)))
        except yaml.YAMLError as error:
            problem = getattr(error, "problem", None) or error
            mistakes.append(Mistake(f"override {text!r}", f"the value is not YAML: {problem}."))
    return parsed


def _set(text: str, path: KeyPath, value: Any, draft: _Draft) -> None:
    """Set an existing key, or a constructor's keyword that the files leave at its default."""
    where = f"override {text!r}"
    node: Any = draft.values
    for depth, key in enumerate(path):
        is_last = depth == len(path) - 1
        if isinstance(node, list) and key.isdigit() and int(key) < len(node):
            index: Any = int(key)
        elif isinstance(node, dict) and (key in node or (is_last and _takes(node, path[:depth], key))):
            index = key
        else:
            draft.mistakes.append(Mistake(where, _no_such_key(path, depth, node, draft)))
            return
        if is_last:
            node[index] = copy.deepcopy(value)
            for known in [known for known in draft.origins if known[: len(path)] == path]:
                del draft.origins[known]
            draft.origins.update({(*path, *below): where for below in _paths(value)})
        else:
            node = node[index]


def _takes(node: dict[str, Any], path: KeyPath, key: str) -> bool:
    return "_target_" in node or (not path and key in _SETTINGS and key != "choices")


def _no_such_key(path: KeyPath, depth: int, node: Any, draft: _Draft) -> str:
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


def _same_ending(path: KeyPath, draft: _Draft) -> str:
    same = [".".join(known) for known in draft.origins if known[-1] == path[-1] and known != path]
    return f"Did you mean {same[0]!r}? " if len(same) == 1 else ""


def _paths(value: Any) -> list[KeyPath]:
    """List the key paths of a value, its own empty one first."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [(), *((str(key), *below) for key, item in items for below in _paths(item))]


def _finish(draft: _Draft, name: str, overrides: tuple[str, ...], subject: str) -> Config:
    from stylekit.config.interpolation import resolve  # omegaconf costs a tenth of a second

    ordered = {key: draft.values[key] for key in (*_SETTINGS, *GROUPS) if key in draft.values}
    values = {"name": ordered.pop("name", None) or name, **ordered}
    resolved, links, mistakes = resolve(values, draft.origins)
    resolved["choices"] = dict(draft.choices)
    origins = {".".join(key): origin for key, origin in draft.origins.items()}
    config = Config(str(resolved["name"]), resolved, origins, overrides, frozenset(links))
    mistakes = [*draft.mistakes, *mistakes]
    if mistakes:
        from stylekit.config.validation import find_mistakes

        known = {one.where for one in mistakes}  # what follows from a mistake is not another one
        later = [one for one in find_mistakes(config) if one.where not in known]
        raise_mistakes([*mistakes, *later], subject)
    return config
