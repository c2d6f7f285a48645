"""Style encoders by the name of an experiment or the folder of a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stylekit.checkpoint import load_method
from stylekit.config import build, check, compose
from stylekit.errors import ConfigError
from stylekit.method import StyleEncoder

__all__ = ["load_encoder"]


def load_encoder(target: str, overrides: Sequence[str], config_dirs: Sequence[Path] = ()) -> StyleEncoder:
    """Load the encoder of a run, or that of an experiment with overrides as it begins."""
    if (Path(target) / "run.json").is_file():
        if overrides:
            raise ConfigError("A run is used as it was trained; overrides apply to experiments only.")
        method = load_method(target)
    else:
        config = compose(target, overrides, config_dirs)
        check(config)
        method = build(config.values["method"]).eval()
    if not isinstance(method, StyleEncoder):
        raise ConfigError(f"{target} does not embed images; choose a style encoder (see `stylekit list`).")
    return method
