"""List the configs that can be chosen, without importing what they name."""

from __future__ import annotations

import dataclasses
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stylekit.config import folders
from stylekit.config.document import read_document, read_header, short_path
from stylekit.config.folders import GROUPS, ConfigDir, list_group
from stylekit.config.mistake import suggestion
from stylekit.errors import ConfigError
from stylekit.plugin_imports import import_errors

__all__ = ["LISTED_GROUPS", "Entry", "list_configs"]

LISTED_GROUPS = ("experiment", *GROUPS)
BROKEN = "plug-in"
_WELL_KNOWN = ("stylekit", "lightning", "torch", "diffusers", "transformers", "peft", "torchmetrics")
_TEXTS = ("what", "paper", "command", "needs", "expect")


@dataclass(frozen=True)
class Entry:
    """One config file, or (group "plug-in") a package whose configs cannot be found."""

    group: str
    name: str
    origin: str
    path: str = ""
    what: str = ""
    paper: str = ""
    command: str = ""
    needs: str = ""
    expect: str = ""
    stages: tuple[str, ...] = ()
    encodes: bool = False
    renders: bool = False
    uses: dict[str, str] = field(default_factory=dict)  # of an experiment: the file it names for each group
    error: str = ""
    target: str = ""
    """The class that it names."""


def list_configs(*groups: str, config_dirs: Sequence[str | Path] = ()) -> list[Entry]:
    """List experiments, methods, foundations, data and so on, each with its origin and, if broken, its error.

    Args:
        groups: What to list; everything by default.
        config_dirs: Further config folders.
    """
    for group in groups:
        if group not in LISTED_GROUPS:
            raise ConfigError(f"There is no group {group!r}. {suggestion(group, LISTED_GROUPS)}")
    dirs = folders.config_dirs(config_dirs)
    entries = []
    for group in groups or LISTED_GROUPS:
        for name, files in list_group(group, dirs).items():
            others = [short_path(path) for _, path in files]
            clash = f"claimed by {' and '.join(others)}; rename one of them" if len(files) > 1 else ""
            for one, path in files:
                uses = _uses(path, dirs) if group == "experiment" else {}
                entries.append(_entry(group, name, one, path, uses, clash))
    entries = _with_import_errors(entries)
    return entries + [Entry(BROKEN, one.origin, one.origin, error=one.error) for one in dirs if one.error]


def _entry(group: str, name: str, one: ConfigDir, path: Path, uses: dict[str, str], error: str) -> Entry:
    document = read_document(path)
    header = {} if document.mistakes else read_header(path)
    if document.mistakes:
        error = "; ".join(f"{mistake.where}: {mistake.what}" for mistake in document.mistakes)
    texts: dict[str, Any] = {key: header.get(key, "") for key in _TEXTS}
    stages = header.get("stages", "none")
    return Entry(
        group,
        name,
        one.origin,
        short_path(path),
        **texts,
        stages=() if stages == "none" else tuple(stages.replace(",", " ").split()),
        encodes=header.get("encodes") == "true",
        renders=header.get("renders") == "true",
        uses=uses,
        error=error or _absence(document.values.get("_target_")),
        target=str(document.values.get("_target_") or ""),
    )


def _with_import_errors(entries: list[Entry]) -> list[Entry]:
    """Try what others wrote; our own is tried by the tests."""
    foreign = {
        entry.target
        for entry in entries
        if entry.origin != "stylekit" and entry.target and not entry.error
        if entry.target.partition(".")[0] not in _WELL_KNOWN
    }
    if not foreign:
        return entries
    errors = import_errors(sorted(foreign))
    return [
        dataclasses.replace(entry, error=errors[entry.target]) if entry.target in errors else entry
        for entry in entries
    ]


def _uses(path: Path, dirs: list[ConfigDir], above: tuple[Path, ...] = ()) -> dict[str, str]:
    """Name the file of each group that an experiment chooses, itself or in the one that it builds on."""
    values = read_document(path).values
    base = values.get("_file_")
    inherited = {}
    for _, below in list_group("experiment", dirs).get(base, []) if isinstance(base, str) else []:
        if below not in above:  # two that build on each other are reported where they are composed
            inherited = _uses(below, dirs, (*above, path))
    named = {group: values.get(group) for group in GROUPS}
    names = {key: node.get("_file_") if isinstance(node, dict) else node for key, node in named.items()}
    return inherited | {group: name for group, name in names.items() if isinstance(name, str)}


def _absence(target: Any) -> str:
    """Say that the module of a `_target_` is not installed; found by its file, without importing it."""
    if not isinstance(target, str) or "." not in target:
        return ""
    package, *below = target.split(".")
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # a module that was made by hand has no spec
        return ""
    if spec is None:
        return f"{target}: the package {package!r} is not installed"
    if package not in ("methods", "datamodules", "stylekit"):
        return ""
    for location in spec.submodule_search_locations or ():
        first = Path(location) / below[0]
        if first.is_dir() or first.with_suffix(".py").is_file():
            return ""
    return f"{target}: there is no module {package}.{below[0]}"
