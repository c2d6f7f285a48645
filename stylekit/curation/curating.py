"""Curate a data set from a config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stylekit.config import build, check, compose
from stylekit.curation.curation import Curation
from stylekit.curation.dry_run import DryRun
from stylekit.curation.dry_run import dry_run as outlook
from stylekit.curation.running import DATA, Runner
from stylekit.errors import ConfigError

__all__ = ["curate"]


def curate(
    curation: str,
    *overrides: str,
    out: str | Path | None = None,
    config_dirs: Sequence[Path] = (),
    dry_run: bool = False,
) -> Path | DryRun:
    """Run the steps of a curation, from pools of pictures to a data set of styles; return its folder.

    What is done is not done again: an interrupted curation goes on where it was, and one with another setting
    begins with the step that the setting belongs to.

    Args:
        curation: Its name.
        overrides: `group=file` (captioner=NAME), or `curation.key=value`.
        out: The folder to write to; curated/NAME by default. The data set is in data/ below it.
        config_dirs: Further config folders.
        dry_run: Estimate counts, time and cost of each step, and run nothing.
    """
    config = compose(curation, overrides, config_dirs, group="curation")
    check(config, needs=("curation",), group="curation")
    values = dict(config.values["curation"])
    if isinstance(values.get("embed"), dict):  # it composes a config of its own, of the encoder
        values["embed"] = values["embed"] | {"config_dirs": [str(folder) for folder in config_dirs]}
    plan = build(values)
    if not isinstance(plan, Curation):
        raise ConfigError(f"curation must be a Curation, not a {type(plan).__name__}.")
    folder = Path(out or Path("curated") / config.name).expanduser()
    runner = Runner(plan, values, folder)
    if dry_run:
        return outlook(runner)
    runner.run(config.to_yaml(resolved=True))
    return folder / DATA
