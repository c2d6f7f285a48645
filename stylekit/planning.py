"""Before a training: refuse what cannot be trained, and choose the run's folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lightning.pytorch.strategies import (
    DeepSpeedStrategy,
    FSDPStrategy,
    ModelParallelStrategy,
    StrategyRegistry,
)

from stylekit.config import Config, check, digest
from stylekit.config.target import resolve_target
from stylekit.errors import ConfigError
from stylekit.method import StyleMethod
from stylekit.muon import MuonWithAdamW

__all__ = ["check_trainable", "choose_folder", "is_sharded", "method_name", "shared_folder"]

# Tells the processes that Lightning starts for further devices which folder the first one chose.
PLACE = "STYLEKIT_RUN"

SHARDING = (DeepSpeedStrategy, FSDPStrategy, ModelParallelStrategy)

RESERVED = {
    "max_steps": "set stages.STAGE.max_steps",
    "max_epochs": "training is counted in steps: set stages.STAGE.max_steps",
    "val_check_interval": "set stages.STAGE.validate_every",
    "check_val_every_n_epoch": "set stages.STAGE.validate_every",
    "logger": "choose a tracking config: tracking=mlflow or tracking=local",
    "enable_checkpointing": "set stages.STAGE.checkpoint_every",
    "default_root_dir": "set runs=FOLDER",
    "use_distributed_sampler": "the data module shares batches among processes by itself",
}


def check_trainable(config: Config) -> None:
    """Refuse, before anything loads, an experiment that cannot be trained."""
    check(config, needs=("method",))
    _refuse_without_stages(config)
    check(config, needs=("data", "trainer", "tracking"))
    _refuse_reserved(config)
    _refuse_sharded_muon(config)


def is_sharded(trainer: Mapping[str, Any]) -> bool:
    """Tell whether a trainer's config names, by Lightning's word or its class, one of SHARDING.

    They cut parameters up among devices.
    """
    strategy = trainer.get("strategy")
    if isinstance(strategy, Mapping):
        return issubclass(resolve_target(strategy["_target_"]), SHARDING)
    return strategy in StrategyRegistry and issubclass(StrategyRegistry[strategy]["strategy"], SHARDING)


def choose_folder(config: Config, new_run: bool) -> Path:
    """Name the run's folder after what it trains; a new run beside it gets a number.

    Processes that Lightning starts for further devices inherit the choice of the first.
    """
    if inherited := os.environ.get(PLACE):
        return Path(inherited)
    if new_run and any(name in os.environ for name in ("RANK", "SLURM_PROCID")):
        raise ConfigError(
            "Processes that torchrun or SLURM started at once cannot agree on a new run folder: "
            "name it for them, runs=FOLDER, instead of --new-run."
        )
    method, data = method_name(config), config.choices.get("data", "data")
    name = f"{method}-{data}-{digest(config)}-s{config.values['seed']}"
    path = Path(config.values["runs"]) / config.name / name
    number = 2
    while new_run and path.exists():
        path = path.with_name(f"{name}-{number}")
        number += 1
    return path


def method_name(config: Config) -> str:
    """Return the public name of the method, or its class where the experiment writes it out."""
    return config.choices.get("method") or str(config.values["method"]["_target_"]).rpartition(".")[2]


@contextmanager
def shared_folder(path: Path) -> Iterator[None]:
    """Tell the processes that Lightning starts for further devices which folder it is."""
    before = os.environ.get(PLACE)
    os.environ[PLACE] = str(path)
    try:
        yield
    finally:
        if before is None:
            del os.environ[PLACE]


def _refuse_reserved(config: Config) -> None:
    """Say where a setting belongs that the stages or the run folder decide, rather than ignore it."""
    for key in sorted(RESERVED.keys() & config.values["trainer"].keys()):
        raise ConfigError(
            f"{config.origin(f'trainer.{key}')}: trainer.{key} is not yours to set here; {RESERVED[key]}."
        )


def _refuse_sharded_muon(config: Config) -> None:
    """Refuse what makes matrices orthogonal where a device has only a piece of each."""
    if not is_sharded(config.values["trainer"]):
        return
    for stage, node in config.stages.items():
        if issubclass(resolve_target(node["optimizer"]["_target_"]), MuonWithAdamW):
            raise ConfigError(
                f"{config.origin(f'stages.{stage}.optimizer')}: MuonWithAdamW needs whole matrices, which a "
                "sharded trainer.strategy cuts up. Choose trainer.strategy=ddp, or "
                f"stages.{stage}.optimizer._target_=torch.optim.AdamW."
            )


def _refuse_without_stages(config: Config) -> None:
    method = resolve_target(config.values["method"]["_target_"])
    stages = method.stages if issubclass(method, StyleMethod) else ()
    if not stages:
        raise ConfigError(
            f"{method_name(config)} is training-free: there is nothing to train. "
            f"Use it at once: stylekit evaluate {config.name}."
        )
    if missing := [stage for stage in stages if stage not in config.values["stages"]]:
        raise ConfigError(
            f"The experiment has no settings for stage {', '.join(missing)}; add stages.{missing[0]} to it, "
            "or set it to null to leave it out."
        )
    if not config.stages:
        raise ConfigError("All stages are null: there is nothing to train. Leave one in.")
