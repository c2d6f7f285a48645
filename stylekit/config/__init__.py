"""Experiments as YAML: compose files and overrides, check them against constructors, build objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stylekit.config.baselines import baseline_path, check_baselines, finished_runs
from stylekit.config.composition import Config, compose, compose_group, digest
from stylekit.config.folders import GROUPS, ConfigDir, config_dirs, list_group

if TYPE_CHECKING:
    from stylekit.config.construction import build
    from stylekit.config.validation import check

__all__ = [
    "GROUPS",
    "Config",
    "ConfigDir",
    "baseline_path",
    "build",
    "check",
    "check_baselines",
    "compose",
    "compose_group",
    "config_dirs",
    "digest",
    "finished_runs",
    "list_group",
]


def __getattr__(name: str) -> Any:
    """Import what needs omegaconf and pydantic only when it is used: `stylekit list` does not."""
    if name == "build":
        from stylekit.config.construction import build

        return build
    if name == "check":
        from stylekit.config.validation import check

        return check
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
