"""Compose an experiment: its file, the group files it names, then overrides; resolved once at the end."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stylekit.config import folders
from stylekit.config.document import Document, read_document
from stylekit.config.draft import Draft, key_paths, overlay
from stylekit.config.folders import GROUPS
from stylekit.config.mistake import raise_mistakes, suggestion
from stylekit.config.override import SETTINGS, Override, apply_override, parse_overrides

__all__ = ["Config", "compose", "compose_group", "digest"]

_DEFAULTS: dict[str, Any] = {"seed": 0, "runs": "runs", "stages": {}}
_NOT_IN_DIGEST = ("name", "runs", "learned", "tracking", "choices")
_SHOWN_ONLY = ("enable_progress_bar", "enable_model_summary")


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
    links: dict[str, str] = field(default_factory=dict)  # keys that were `${other}`, and the other

    @property
    def choices(self) -> dict[str, str]:
        """The name of the file chosen for each group."""
        return dict(self.values.get("choices") or {})

    @property
    def stages(self) -> dict[str, Any]:
        """Settings of the stages to train; those that are null are left out."""
        stages = self.values.get("stages") or {}
        return {stage: settings for stage, settings in stages.items() if settings is not None}

    def origin(self, path: str) -> str:
        """Say where a dotted key, or the nearest key above it, was set."""
        while path and path not in self.origins:
            path = path.rpartition(".")[0]
        return self.origins.get(path, "the experiment")

    def to_yaml(self, resolved: bool = False) -> str:
        """Write a file that `compose` reads back to the same values.

        What was `${foundation}` stays so, so that an override of the foundation still reaches all who use it;
        `resolved` writes the values instead.
        """
        values = self.values if resolved else _relink(self.values, "", self.links)
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=10**6)


def compose(
    experiment: str,
    overrides: Sequence[str] = (),
    config_dirs: Sequence[str | Path] = (),
    group: str = "experiment",
) -> Config:
    """Compose an experiment, named or given as a YAML file or as the folder of a run, with overrides.

    `group` is another folder of files that name files of groups as experiments do, such as "curation".

    `group=name` chooses another file of a group and drops what the experiment changed in the old one;
    `a.b.c=value` sets a value. Raises one ConfigError that lists every mistake.
    """
    draft = Draft(folders.config_dirs(config_dirs))
    draft.mistakes += folders.unusable_dirs(draft.dirs)
    document, name = _read_experiment(experiment, group, draft)
    _gather(document, draft, parse_overrides(overrides, draft))
    return _finish(draft, name, tuple(overrides), f"{group} {experiment!r}")


def compose_group(
    group: str, name: str, overrides: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()
) -> Config:
    """Compose one file of a group alone, under its group's key, as if an experiment named nothing else."""
    draft = Draft(folders.config_dirs(config_dirs))
    draft.mistakes += folders.unusable_dirs(draft.dirs)
    document = Document(Path(), {group: name}, {(group,): f"{group} {name!r}"})
    _gather(document, draft, parse_overrides(overrides, draft))
    return _finish(draft, name, tuple(overrides), f"{group} {name!r}")


def digest(config: Config) -> str:
    """Hash what a run computes: the resolved values without names, folders and tracking."""
    kept = {key: value for key, value in config.values.items() if key not in _NOT_IN_DIGEST}
    if isinstance(trainer := kept.get("trainer"), dict):
        kept["trainer"] = {key: value for key, value in trainer.items() if key not in _SHOWN_ONLY}
    text = json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _relink(node: Any, path: str, links: dict[str, str]) -> Any:
    if path in links:
        return f"${{{links[path]}}}"
    below = f"{path}." if path else ""
    if isinstance(node, dict):
        return {key: _relink(value, f"{below}{key}", links) for key, value in node.items()}
    if isinstance(node, list):
        return [_relink(value, f"{below}{index}", links) for index, value in enumerate(node)]
    return node


def _read_experiment(experiment: str, group: str, draft: Draft) -> tuple[Document, str]:
    path = Path(experiment)
    if (path / "config.yaml").is_file():
        path /= "config.yaml"
    if path.suffix in {".yaml", ".yml"}:
        document = read_document(path)
        raise_mistakes([*draft.mistakes, *document.mistakes], f"{group} {experiment!r}")
        return _with_base(document, group, draft, ()), str(document.values.get("name") or path.stem)
    loaded = _load(experiment, group, f"{group} {experiment!r}", draft, ())
    if loaded is None:
        raise_mistakes(draft.mistakes, f"{group} {experiment!r}")
    assert loaded is not None
    return loaded, str(loaded.values.get("name") or experiment)


def _load(name: str, group: str, where: str, draft: Draft, above: tuple[str, ...]) -> Document | None:
    """Read a file of a group together with the files that it builds on."""
    if name in above:
        draft.fail(where, f"{group} {name!r} builds on itself: {' -> '.join((*above, name))}.")
        return None
    found = folders.find_file(group, name, draft.dirs)
    if isinstance(found, str):
        draft.fail(where, found)
        return None
    document = read_document(found)
    if document.mistakes:
        draft.mistakes += document.mistakes
        return None
    return _with_base(document, group, draft, (*above, name))


def _with_base(document: Document, group: str, draft: Draft, above: tuple[str, ...]) -> Document:
    """Put a file that opens with `_file_: other` on top of that other file of its group."""
    if "_file_" not in document.values:
        return document
    base_name = document.values.pop("_file_")
    where = document.origins.pop(("_file_",))
    base = _load(str(base_name), group, where, draft, above)
    if base is None:
        return document
    for key in GROUPS if group not in GROUPS else ():  # a name is a file, which a mapping changes
        name, changes = base.values.get(key), document.values.get(key)
        if isinstance(name, str) and isinstance(changes, dict) and "_target_" not in changes:
            base.values[key] = {"_file_": name}
            base.origins[(key, "_file_")] = base.origins[(key,)]
    overlay(base.values, base.origins, (), document.values, document.origins, ())
    return Document(document.path, base.values, base.origins)


def _gather(document: Document, draft: Draft, overrides: list[Override]) -> None:
    chosen = {override.path[0]: override for override in overrides if override.is_choice}
    for key, value in _DEFAULTS.items():
        draft.values[key] = copy.deepcopy(value)
        draft.origins[(key,)] = "default"
    kept_choices = document.values.get("choices")
    for key, value in document.values.items():
        where = document.origins[(key,)]
        if key in GROUPS:
            if key not in chosen:
                _choose(key, value, where, document, draft)
        elif key not in SETTINGS:
            keys = (*GROUPS, *SETTINGS)
            draft.fail(where, f"an experiment has no key {key!r}. {suggestion(key, keys)}")
        elif key != "choices":
            draft.values.pop(key, None)
            overlay(draft.values, draft.origins, (), {key: value}, document.origins, ())
    if isinstance(kept_choices, dict):
        draft.choices = {**kept_choices, **draft.choices}
    for group, (where, _, value) in chosen.items():
        origins = {(group, *path): where for path in key_paths(value)}
        _choose(group, value, where, Document(Path(), {group: value}, origins), draft)
    for override in overrides:
        if not override.is_choice:
            apply_override(override, draft)


def _choose(group: str, value: Any, where: str, document: Document, draft: Draft) -> None:
    """Fill a group from a file's name, or from a mapping with `_file_` and changes, or from a whole node."""
    draft.choices.pop(group, None)
    draft.values.pop(group, None)
    draft.origins[(group,)] = where
    if value is None:
        return
    if isinstance(value, str):
        value = {"_file_": value}
    if not isinstance(value, dict):
        names = folders.list_group(group, draft.dirs)
        draft.fail(where, f"{group} takes the name of a file. {suggestion(str(value), names)}")
        return
    changes = {key: item for key, item in value.items() if key != "_file_"}
    draft.values[group] = {}
    if "_file_" in value:
        name = str(value["_file_"])
        base = _load(name, group, where, draft, ())
        if base is None:
            return
        draft.choices[group] = name
        overlay(draft.values, draft.origins, (group,), base.values, base.origins, ())
    overlay(draft.values, draft.origins, (group,), changes, document.origins, (group,))
    if "_target_" not in draft.values[group]:
        known = ", ".join(folders.list_group(group, draft.dirs))
        draft.fail(
            where, f"{group} says nothing to build: begin it with _file_: NAME ({known}), or _target_."
        )


def _finish(draft: Draft, name: str, overrides: tuple[str, ...], subject: str) -> Config:
    from stylekit.config.interpolation import resolve  # omegaconf costs a tenth of a second

    ordered = {key: draft.values[key] for key in (*SETTINGS, *GROUPS) if key in draft.values}
    values = {"name": ordered.pop("name", None) or name, **ordered}
    # a group that is set to null is null where ${group} names it, and nothing else is known of it
    nothing = {key: None for key in GROUPS if (key,) in draft.origins and key not in draft.values}
    resolved, links, mistakes = resolve({**values, **nothing}, draft.origins)
    resolved = {key: value for key, value in resolved.items() if key not in nothing}
    resolved["choices"] = dict(draft.choices)
    origins = {".".join(key): origin for key, origin in draft.origins.items()}
    # what is wrong with a link to a group that is null, or that could not be read, is wrong with the group
    empty = {key for key in GROUPS if not draft.values.get(key)}
    origins |= {key: origins[target] for key, target in links.items() if target in empty & origins.keys()}
    links = {key: target for key, target in links.items() if target not in nothing}
    config = Config(str(resolved["name"]), resolved, origins, overrides, links)
    mistakes = [*draft.mistakes, *mistakes]
    if mistakes:
        from stylekit.config.validation import find_mistakes

        known = {one.where for one in mistakes}  # what follows from a mistake is not another one
        later = [one for one in find_mistakes(config) if one.where not in known]
        raise_mistakes([*mistakes, *later], subject)
    return config
