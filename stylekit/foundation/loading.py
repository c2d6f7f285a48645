"""Load models and tokenizers of transformers, every key accounted for, every failure with advice."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.locate import missing_weights
from stylekit.seeding import drawing_from

__all__ = [
    "adopt_weights",
    "draw_model",
    "explained",
    "forget_paths",
    "load_model",
    "load_tokenizer",
    "quiet",
]

ModelT = TypeVar("ModelT", bound=PreTrainedModel)

_WHERE_FROM = {"_name_or_path", "is_local", "local_files_only"}


@contextmanager
def explained(name_or_path: str, where: str, mini: str | None, group: str = "foundation") -> Iterator[None]:
    """Turn what goes wrong while loading into advice, and keep transformers' remarks off the terminal.

    Args:
        name_or_path: What was asked for.
        where: What `locate` made of it.
        mini: The shipped foundation of the same kind, or what of the group needs no weights; null for none.
        group: The part of a config that names it.
    """
    try:
        with quiet(logging):
            yield
    except OSError as error:
        raise missing_weights(name_or_path, error, mini, group) from error
    except SafetensorError as error:
        raise MissingError(f"The weights in '{where}' are broken ({error}); download them again.") from error


def load_model(cls: type[ModelT], where: str, revision: str | None, kind: str) -> ModelT:
    """Load in float32; a checkpoint with other keys or shapes is not a `kind` checkpoint and is refused."""
    model, report = cls.from_pretrained(
        where,
        revision=revision,
        dtype=torch.float32,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # refused below, by name
    )
    _refuse_lost(report, where, kind)
    return cast(ModelT, model)


def adopt_weights(
    cls: type[ModelT], config: PreTrainedConfig, weights: dict[str, Tensor], where: str, kind: str
) -> ModelT:
    """Build a model with weights that were read already, under the names of a checkpoint on the hub."""
    with quiet(logging):
        model, report = cls.from_pretrained(
            None,
            config=config,
            state_dict=weights,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # refused below, by name
        )
    _refuse_lost(report, where, kind)
    return cast(ModelT, model)


def _refuse_lost(report: Mapping[str, Any], where: str, kind: str) -> None:
    lost = sorted(report["missing_keys"])
    lost += sorted(name for name in report["unexpected_keys"] if not name.endswith("position_ids"))
    lost += sorted(name for name, *_ in report["mismatched_keys"])
    if lost:
        raise ConfigError(
            f"'{where}' is not a {kind} checkpoint: keys that do not fit: {', '.join(lost[:8])}."
        )


def draw_model(cls: Callable[[Any], ModelT], where: str, revision: str | None, seed: int) -> ModelT:
    """Build the architecture that a checkpoint describes, with weights drawn from the seed."""
    config = AutoConfig.from_pretrained(where, revision=revision)
    with drawing_from(seed):
        return cls(config)


def load_tokenizer(where: str, revision: str | None, extra: str | None = None) -> PreTrainedTokenizerBase:
    """Load the tokenizer; `extra` names the part of stylekit that brings what it may need."""
    try:
        return cast(PreTrainedTokenizerBase, AutoTokenizer.from_pretrained(where, revision=revision))
    except (ImportError, ValueError) as error:
        needs = f", or it needs pip install 'stylekit[{extra}]'" if extra else ""
        raise MissingError(f"{error}\n'{where}' lacks a tokenizer{needs}.") from error


@contextmanager
def quiet(logging: Any) -> Iterator[None]:
    """Keep what a library says, errors that it raises as well, and a bar for each file off the terminal.

    Args:
        logging: `transformers.utils.logging`, or that of diffusers.
    """
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def forget_paths(folder: Path) -> None:
    """Take out of the configs in a saved folder where it was loaded from."""
    for path in (*folder.rglob("*config.json"), *folder.rglob("model_index.json")):
        config = json.loads(path.read_text(encoding="utf-8"))
        kept = {key: value for key, value in config.items() if key not in _WHERE_FROM}
        if kept != config:
            path.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n", encoding="utf-8")
