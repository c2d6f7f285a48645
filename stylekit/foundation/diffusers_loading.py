"""Load models and pipelines of diffusers: every weight accounted for, every failure with advice."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from diffusers.utils import logging
from torch import nn

from stylekit.errors import ConfigError
from stylekit.foundation.loading import explained, quiet
from stylekit.foundation.locate import missing_weights

__all__ = ["load_diffusers", "load_pipeline"]

# Parts that photographs need, or the law of a service; drawings do without.
_LEFT_OUT = {"safety_checker", "feature_extractor", "watermarker", "image_encoder"}
# A norm in float32 between activations in bfloat16 is meant: autocast keeps the weights as they are.
warnings.filterwarnings("ignore", message="Mismatch dtype between input and weight")
# DPM-Solver on numpy 2.
warnings.filterwarnings("ignore", message="__array__ implementation doesn't accept a copy")


def load_diffusers(kind: type[Any], where: str, name: str, mini: str, **settings: Any) -> Any:
    """Load a model from a folder or the hub.

    Args:
        kind: Its class.
        where: What `locate` made of the name.
        name: What the user wrote.
        mini: The shipped foundation of the same kind.
        settings: Passed on to `from_pretrained`.
    """
    with explained(name, where, mini), quiet(logging):
        model, report = kind.from_pretrained(where, output_loading_info=True, **settings)
    _refuse(where, kind, [*report["missing_keys"], *report["unexpected_keys"], *report["mismatched_keys"]])
    return model.eval()


def load_pipeline(
    kind: type[Any],
    where: str,
    name: str,
    mini: str,
    revision: str | None,
    dtype: torch.dtype,
    parts: Mapping[str, nn.Module | None],
    group: str = "foundation",
) -> Any:
    """Load a pipeline, without safety checker and watermarker; arguments as above.

    `parts` are there already, or None and not wanted; their weights are not looked for. `group` is the part
    of a config that names the pipeline.
    """
    without = dict.fromkeys(_LEFT_OUT & set(inspect.signature(kind.__init__).parameters))
    with explained(name, where, mini, group), quiet(logging):
        try:
            read = dict(_networks(kind, where, revision, dtype, {*without, *parts}))
            return kind.from_pretrained(where, revision=revision, dtype=dtype, **without, **parts, **read)
        except ConfigError:
            raise
        except ValueError as error:  # a folder of something else
            raise missing_weights(name, error, mini, group) from error


def _networks(
    kind: type[Any], where: str, revision: str | None, dtype: torch.dtype, there: set[str]
) -> Iterator[tuple[str, nn.Module]]:
    """Load the networks of a pipeline one by one: the pipeline would draw missing weights at random."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*local_dir_use_symlinks.*")  # diffusers asks for it
        index = kind.load_config(where, revision=revision)
    for name, entry in index.items():
        library, cls_name = entry if isinstance(entry, list | tuple) else (None, None)
        if name in there or library not in ("diffusers", "transformers"):
            continue
        cls = getattr(importlib.import_module(library), cls_name)
        if issubclass(cls, nn.Module):
            model, report = cls.from_pretrained(
                where, subfolder=name, revision=revision, dtype=dtype, output_loading_info=True
            )
            _refuse(f"{where}/{name}", cls, report["missing_keys"])
            yield name, model


def _refuse(where: str, kind: type[Any], lost: Iterable[Any]) -> None:
    if names := sorted(map(str, lost)):
        raise ConfigError(
            f"'{where}' does not fit {kind.__name__}; keys that differ: {', '.join(names[:8])}. Download it "
            "again, or name the pipeline that it belongs to."
        )
