"""A method with what it learned, whichever way it is named: a run, an exported file, an experiment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from stylekit.adapter_file import exported_file, load_into, read_origin
from stylekit.checkpoint import load_learned
from stylekit.config import Config, build, compose
from stylekit.config.construction import class_of
from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.locate import SHIPPED, locate, weight_files
from stylekit.method import AdapterRenderer, StyleMethod
from stylekit.run import Run, find_run

__all__ = [
    "build_method",
    "compose_learned",
    "learned_file",
    "load_method",
    "method_files",
    "refuse_unlearned",
]

_WEIGHTS = ("name_or_path", "lora")


def compose_learned(
    target: str | Path, overrides: Sequence[str] = (), config_dirs: Sequence[str | Path] = ()
) -> Config:
    """Compose the config of a method whose `learned` names what it learned, if it learns.

    Args:
        target: A finished run, a file or folder that `export` wrote, or an experiment.
        overrides: `group=file` or `dotted.key=value`.
        config_dirs: Further config folders.
    """
    if (run := find_run(target)) is not None:
        # Resolved: `latest` will be another run, and the working folder another folder.
        learned = json.dumps(str(run.path.resolve()))
        return compose(str(run.path), [f"learned={learned}", *overrides], config_dirs)
    if (file := exported_file(Path(target).expanduser())) is not None:
        return _compose_exported(file, overrides, config_dirs)
    config = compose(str(target), overrides, config_dirs)
    _refuse_for_training(config, overrides)
    return config


def refuse_unlearned(config: Config) -> None:
    """Refuse a method that learns in stages where `learned` names nothing, or nothing that is there."""
    if learned_file(config) is None and (stages := config.stages):
        raise ConfigError(
            f"{config.name} learns in stages ({', '.join(stages)}): train it with "
            f"`stylekit train {config.name}` and give the run's folder instead of the name."
        )


def learned_file(config: Config) -> Path | None:
    """Return the file that `learned` names, a finished run's or one that `export` wrote; None for none."""
    name = config.values.get("learned")
    if name is None:
        return None
    if (run := find_run(name)) is not None:
        return _final_checkpoint(run)
    file = exported_file(SHIPPED / name) or exported_file(Path(name).expanduser())
    if file is None:
        raise MissingError(f"learned: there is no run and no exported file {name!r}.")
    return file


def method_files(config: Config) -> Iterator[Path]:
    """Yield what was learned, the weights of foundations and LoRAs in folders, and all other files named."""
    learned = learned_file(config)
    if learned is not None:
        yield learned
    for key, name in _names("method", config.values["method"]):
        path = Path(locate(name) if key == "name_or_path" else name).expanduser()
        if key in _WEIGHTS and path.is_dir():
            yield from weight_files(str(path))
        elif os.path.isfile(path):  # no text is too long for it, as some are for Path.is_file
            yield path


def load_method(run: str | Path) -> StyleMethod:
    """Build the method of a finished run, and load what it learned."""
    return build_method(compose_learned(Run.find(run).path))


def build_method(config: Config) -> StyleMethod:
    """Build the method of a config and load what `learned` names; without it, it is as it begins."""
    learned = learned_file(config)
    if learned is not None:
        _refuse_other_settings(config, learned)
    method: object = build(config.values["method"])
    if not isinstance(method, StyleMethod):
        raise ConfigError(f"{config.name} names no style method but a {type(method).__name__}.")
    if learned is not None and learned.suffix == ".safetensors":
        if not isinstance(method, AdapterRenderer):
            raise ConfigError(f"{learned} holds an adapter, which {type(method).__name__} has no place for.")
        load_into(method, learned)
    elif learned is not None:
        load_learned(method, learned)
    return method.requires_grad_(False).eval()


def _final_checkpoint(run: Run) -> Path:
    """Return the file of all that a run learned; refuse a run that has not finished."""
    state = run.read()
    assert state is not None
    if state.status != "finished" or not run.final_checkpoint.is_file():
        raise MissingError(
            f"The run {run.path} has not finished. Continue it with the `stylekit train` that began it."
        )
    return run.final_checkpoint


def _compose_exported(file: Path, overrides: Sequence[str], config_dirs: Sequence[str | Path]) -> Config:
    origin = read_origin(file)
    node = dict(origin["method"])
    values = {"name": origin["experiment"], "seed": origin["seed"], "learned": str(file.resolve())}
    values["choices"] = origin["choices"]
    if "foundation" in node:  # so that foundation=... and foundation.key=... reach it
        values["foundation"], node["foundation"] = node["foundation"], "${foundation}"
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{file.stem}.yaml"
        path.write_text(yaml.safe_dump(values | {"method": node}, sort_keys=False))
        return compose(str(path), overrides, config_dirs)


def _refuse_other_settings(config: Config, learned: Path) -> None:
    """Refuse settings under which what was learned is of no use."""
    run = find_run(config.values["learned"])
    origin = read_origin(learned) if run is None else yaml.safe_load(run.config_file.read_text())
    theirs, ours = origin["method"], config.values["method"]
    settled: frozenset[str] = getattr(class_of(ours), "settled", frozenset())
    for name in sorted(settled.intersection(ours, theirs)):
        if ours[name] != theirs[name]:
            raise ConfigError(
                f"method.{name} is {ours[name]}, and {config.values['learned']} was trained with "
                f"{theirs[name]}: leave it out, or train with it (`stylekit train {config.name} "
                f"method.{name}={ours[name]}`) and name that run."
            )


def _names(key: str, node: Any) -> Iterator[tuple[str, str]]:
    """Yield every text, with the key that it stands under."""
    if isinstance(node, str):
        yield key, node
    elif isinstance(node, dict):
        for name, value in node.items():
            yield from _names(name, value)
    elif isinstance(node, list):
        for value in node:
            yield from _names(key, value)


def _refuse_for_training(config: Config, overrides: Sequence[str]) -> None:
    """Refuse what would have changed the learning of what has been learned already."""
    theirs = [text for text in overrides if text.partition("=")[0].partition(".")[0] in ("data", "stages")]
    if theirs and (learned := config.values.get("learned")) is not None:
        raise ConfigError(
            f"{config.name} is used as {learned} has learned it, which {', '.join(theirs)} cannot change. "
            f"Train it with `stylekit train {config.name} {' '.join(theirs)}` and name the run, or leave "
            "that out."
        )
