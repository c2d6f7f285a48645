"""Style encoders by the name of an experiment or the folder of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stylekit.config import check
from stylekit.errors import ConfigError
from stylekit.learned import build_method, compose_learned
from stylekit.method import StyleEncoder
from stylekit.run import find_run

__all__ = ["load_encoder"]


def load_encoder(target: str, overrides: Sequence[str], config_dirs: Sequence[Path] = ()) -> StyleEncoder:
    """Load the encoder of a run, or that of an experiment, with what its `learned` names, or as it begins."""
    is_run = find_run(target) is not None
    if is_run and overrides:
        raise ConfigError("A run is used as it was trained; overrides apply to experiments only.")
    config = compose_learned(target, overrides, config_dirs)
    if not is_run:  # a run's data need not be here any more
        check(config)
    method = build_method(config)
    if not isinstance(method, StyleEncoder):
        raise ConfigError(f"{target} does not embed images; choose a style encoder (see `stylekit list`).")
    return method
