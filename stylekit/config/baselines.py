"""Names of baselines, neither keys nor targets: checked with all else, long before they are measured."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from stylekit.config.composition import Config, compose
from stylekit.config.folders import config_dirs as find_config_dirs
from stylekit.config.folders import list_group
from stylekit.config.mistake import suggestion
from stylekit.errors import ConfigError

__all__ = ["baseline_path", "check_baselines", "finished_runs"]


def check_baselines(config: Config, config_dirs: Sequence[str | Path]) -> None:
    """Refuse baselines that cannot be measured, long before an evaluation would."""
    known = list_group("experiment", find_config_dirs(config_dirs))
    place = config.origin("benchmark.baselines")
    for name in (config.values.get("benchmark") or {}).get("baselines") or ():
        path = baseline_path(name)
        is_file = path.suffix in (".yaml", ".yml") and path.is_file()
        if name in known or is_file:
            if compose(name if name in known else str(path), (), config_dirs).values["stages"]:
                raise ConfigError(f"{place}: {name} learns in stages; name the folder of its runs instead.")
        elif not name or not path.is_dir():
            raise ConfigError(
                f"{place}: there is no experiment and no folder {name!r}. {suggestion(name, known)}"
            )
        elif not finished_runs(path):
            raise ConfigError(f"{place}: {name} holds no finished run. Train one first.")


def baseline_path(name: str) -> Path:
    """Return where a baseline lies that is no experiment's name."""
    try:
        return Path(name).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"benchmark.baselines: {name}: {error}") from error


def finished_runs(folder: Path) -> list[Path]:
    """Return a run itself, or those in a folder of runs, that have finished; links to runs are left out."""
    inside = [file for file in sorted(folder.glob("*/run.json")) if not file.parent.is_symlink()]
    files = [folder / "run.json"] if (folder / "run.json").is_file() else inside
    return [file.parent for file in files if json.loads(file.read_text()).get("status") == "finished"]
