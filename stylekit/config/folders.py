"""Find config files: the project's own, those of installed packages, and those of --config-dir."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from stylekit.config.document import short_path
from stylekit.config.mistake import Mistake, suggestion

__all__ = [
    "ENTRY_POINT_GROUP",
    "GROUPS",
    "ConfigDir",
    "config_dirs",
    "declared_packages",
    "find_file",
    "list_group",
]

ENTRY_POINT_GROUP = "stylekit.configs"
GROUPS = (
    "method",
    "foundation",
    "data",
    "trainer",
    "tracking",
    "benchmark",
    "generator",
    "captioner",
    "content_captioner",
    "ablation",
    "launcher",
    "curation",
)
_EXTRA = "--config-dir"
_NAME = re.compile(r"\w[\w-]*(/\w[\w-]*)*")


@dataclass(frozen=True)
class ConfigDir:
    """A folder with method/*.yaml, data/*.yaml, ..., and who offers it; `error`: why it cannot be used."""

    origin: str
    path: Path | None
    error: str = ""


def config_dirs(extra: Sequence[str | Path] = ()) -> list[ConfigDir]:
    """List the folders that are searched: --config-dir first, then our own, then installed packages'."""
    found = [_extra_dir(Path(path)) for path in extra]
    found.append(ConfigDir("stylekit", _own_dir()))
    found += [_plugin_dir(point) for point in _entry_points()]
    unique: dict[Path | str, ConfigDir] = {}
    for one in found:
        unique.setdefault(one.path.resolve() if one.path else f"{one.origin}: {one.error}", one)
    return list(unique.values())


def list_group(group: str, dirs: Sequence[ConfigDir]) -> dict[str, list[tuple[ConfigDir, Path]]]:
    """Map each name of a group to the files that claim it (more than one is a conflict)."""
    names: dict[str, list[tuple[ConfigDir, Path]]] = {}
    for one in dirs:
        if one.path is None:
            continue
        folder = one.path / group
        for path in sorted(folder.rglob("*.yaml")):
            names.setdefault(path.relative_to(folder).with_suffix("").as_posix(), []).append((one, path))
    return dict(sorted(names.items()))


def find_file(group: str, name: str, dirs: Sequence[ConfigDir]) -> Path | str:
    """Find the one file of a group that has this name; or say why there is none, or more than one."""
    files = [one.path / group / f"{name}.yaml" for one in dirs if one.path] if _NAME.fullmatch(name) else []
    files = [path for path in files if path.is_file()]
    if len(files) == 1:
        return files[0]
    if files:
        both = " and ".join(short_path(path) for path in files)
        return f"{group} {name!r} is claimed by {both}; rename one of them."
    broken = "".join(f" (The configs of {one.origin} are left out: {one.error})" for one in dirs if one.error)
    return f"there is no {group} {name!r}. {suggestion(name, list_group(group, dirs))}{broken}"


@cache
def declared_packages() -> frozenset[str]:
    """List the top-level packages of the distributions that declare themselves as our plug-ins."""
    packages = set()
    for point in _entry_points():
        packages.add(point.module.partition(".")[0])
        if point.dist is not None:
            top_level = point.dist.read_text("top_level.txt") or ""
            packages |= set(top_level.split())
            packages |= {
                file.parts[0].removesuffix(".py") for file in point.dist.files or () if file.suffix == ".py"
            }
    return frozenset(name for name in packages if name.isidentifier())


def unusable_dirs(dirs: Sequence[ConfigDir]) -> list[Mistake]:
    """List the --config-dir folders that cannot be used; a broken package breaks only itself."""
    return [
        Mistake(one.origin, one.error) for one in dirs if one.error and one.origin.startswith("--config-dir")
    ]


def _entry_points() -> list[EntryPoint]:
    return sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: (point.name, point.value))


def _own_dir() -> Path:
    package = Path(__file__).resolve().parent.parent
    installed = package / "configs"
    return installed if installed.is_dir() else package.parent / "configs"


def _extra_dir(path: Path) -> ConfigDir:
    origin = f"--config-dir {path}"
    if path.is_dir():
        return ConfigDir(origin, path)
    return ConfigDir(
        origin, None, f"{path} is not a folder; give one that holds method/, data/, ... with YAML files."
    )


def _plugin_dir(point: EntryPoint) -> ConfigDir:
    origin = point.dist.name if point.dist is not None else point.name
    try:
        spec = importlib.util.find_spec(point.module)
    except Exception as error:  # a plug-in's package may fail in any way while it is imported
        return ConfigDir(origin, None, f"{point.value}: {type(error).__name__}: {error}")
    if spec is None or not spec.submodule_search_locations:
        return ConfigDir(origin, None, f"{point.value}: there is no package {point.module!r}.")
    below = point.attr.replace(".", "/")
    for location in spec.submodule_search_locations:
        if (path := Path(location) / below).is_dir():
            return ConfigDir(origin, path)
    return ConfigDir(origin, None, f"{point.value}: {point.module} has no folder {below!r}.")
