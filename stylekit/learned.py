"""A method as a config describes it, with what the config's `learned` names."""

from __future__ import annotations

from pathlib import Path

from stylekit.checkpoint import load_learned
from stylekit.config import Config, build
from stylekit.errors import ConfigError, MissingError
from stylekit.method import StyleMethod
from stylekit.run import Run

__all__ = ["build_method", "learned_file"]


def learned_file(config: Config) -> Path | None:
    """Return the file that `learned` names, a finished run's or one that `export` wrote; None for none.

    A ConfigError says so if the method of the config learns and nothing is named.
    """
    name = config.values.get("learned")
    if name is None:
        if config.values["stages"]:
            raise ConfigError(
                f"{config.name} learns in stages ({', '.join(config.values['stages'])}): train it with "
                f"`stylekit train {config.name}` and give the run's folder instead of the name."
            )
        return None
    path = Path(name).expanduser()
    if (path / "run.json").is_file():
        checkpoint = Run(path).final_checkpoint
        if not checkpoint.is_file():
            raise MissingError(
                f"The run {path} has not finished. Continue it with the `stylekit train` that began it."
            )
        return checkpoint
    raise MissingError(f"learned: there is no run and no exported file {name!r}.")


def build_method(config: Config) -> StyleMethod:
    """Build the method of a config and load what it learned."""
    method = build(config.values["method"])
    if not isinstance(method, StyleMethod):
        raise ConfigError(f"{config.name} names no style method but a {type(method).__name__}.")
    learned = learned_file(config)
    if learned is not None:
        load_learned(method, learned)
    return method.requires_grad_(False).eval()
