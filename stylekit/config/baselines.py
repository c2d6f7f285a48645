"""Names of baselines, neither keys nor targets: checked with all else, long before they are measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stylekit.config.composition import Config
from stylekit.config.folders import config_dirs as find_config_dirs
from stylekit.config.folders import list_group
from stylekit.config.mistake import suggestion
from stylekit.errors import ConfigError

__all__ = ["check_baselines"]


def check_baselines(config: Config, config_dirs: Sequence[str | Path]) -> None:
    """Refuse names of baselines that nothing has, long before an evaluation would."""
    known = list_group("experiment", find_config_dirs(config_dirs))
    for name in (config.values.get("benchmark") or {}).get("baselines") or ():
        if name not in known and not Path(name).exists():
            raise ConfigError(
                f"{config.origin('benchmark.baselines')}: there is no experiment and no folder {name!r}. "
                f"{suggestion(name, known)}"
            )
