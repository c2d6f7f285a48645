"""Look at an experiment without running it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stylekit import config
from stylekit.config import Config
from stylekit.config.document import mark_lines

__all__ = ["check", "show"]


def show(
    experiment: str, *overrides: str, config_dirs: Sequence[str | Path] = (), origins: bool = False
) -> str:
    """Write the resolved config of an experiment as YAML, which `train` would accept in place of the name.

    Args:
        experiment: Name of an experiment, or path of a YAML.
        overrides: `group=file` or `dotted.key=value`.
        config_dirs: Further config folders.
        origins: Say behind each value where it comes from.
    """
    composed = config.compose(experiment, overrides, config_dirs)
    command = " ".join(["stylekit train", experiment, *overrides])
    text = composed.to_yaml(resolved=True)
    if origins:
        text = _with_origins(text, composed)
    return f"# resolved config of: {command}\n# digest: {config.digest(composed)}\n{text}"


def check(experiment: str, *overrides: str, config_dirs: Sequence[str | Path] = ()) -> Config:
    """Check an experiment against the constructors it names, build nothing, and return its config.

    Args:
        experiment: Name of an experiment, or path of a YAML.
        overrides: `group=file` or `dotted.key=value`.
        config_dirs: Further config folders.
    """
    composed = config.compose(experiment, overrides, config_dirs)
    config.check(composed, needs=["method"])
    config.check_baselines(composed, config_dirs)
    return composed


def _with_origins(text: str, composed: Config) -> str:
    lines = text.splitlines()
    width = max(map(len, lines))
    for number, path in mark_lines(text).items():
        if path[0] not in ("name", "choices"):
            lines[number] = f"{lines[number]:<{width}}  # {_origin('.'.join(path), composed)}"
    return "\n".join(lines) + "\n"


def _origin(path: str, composed: Config) -> str:
    if path not in composed.links:
        return composed.origin(path)
    target = composed.links[path]
    return f"{composed.origin(path)}: ${{{target}}}, from {composed.origin(target)}"
