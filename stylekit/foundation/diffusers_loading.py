"""Read models and pipelines of diffusers: every weight accounted for, errors that say what to do."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from diffusers.utils import logging
from safetensors import SafetensorError

from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.locate import missing_weights

__all__ = ["read_diffusers", "read_pipeline"]


def read_diffusers(kind: type[Any], where: str, name: str, **settings: Any) -> Any:
    """Load a diffusers model from a folder or the hub; `name` is what the user wrote."""
    try:
        with _quiet():
            model, report = kind.from_pretrained(where, output_loading_info=True, **settings)
    except SafetensorError as error:
        raise MissingError(f"The weights in '{where}' are broken ({error}); download them again.") from error
    except OSError as error:
        raise missing_weights(name, error) from error
    lost = sorted({*report["missing_keys"], *report["unexpected_keys"], *map(str, report["mismatched_keys"])})
    if lost:
        raise ConfigError(f"'{where}' does not fit {kind.__name__}; keys that differ: {', '.join(lost[:8])}.")
    return model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep remarks on default configs, and a bar for each file, off the terminal."""
    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def read_pipeline(kind: type[Any], where: str, name: str, revision: str | None, dtype: torch.dtype) -> Any:
    """Load a pipeline, without safety checker or watermarker, which are not for drawings."""
    try:
        with _quiet():
            return kind.from_pretrained(
                where, revision=revision, torch_dtype=dtype, **dict.fromkeys(_LEFT_OUT & _parts(kind))
            )
    except SafetensorError as error:
        raise MissingError(f"The weights in '{where}' are broken ({error}); download them again.") from error
    except (OSError, ValueError) as error:
        raise missing_weights(name, error) from error


_LEFT_OUT = {"safety_checker", "feature_extractor", "watermarker", "image_encoder"}


def _parts(kind: type[Any]) -> set[str]:
    return set(inspect.signature(kind.__init__).parameters)
