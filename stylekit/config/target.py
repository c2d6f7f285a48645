"""Turn a `_target_` into a class, and refuse everything that a config must not be able to name."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any

from stylekit.config.folders import ENTRY_POINT_GROUP, declared_packages
from stylekit.config.mistake import suggestion

__all__ = ["TargetError", "resolve_target"]

_OWN = ("methods.", "datamodules.", "stylekit.")
_FOREIGN = (
    "lightning.pytorch.Trainer",
    "lightning.pytorch.callbacks.",
    "lightning.pytorch.strategies.",
    "lightning.pytorch.loggers.",
    "lightning.pytorch.plugins.",
    "lightning.pytorch.profilers.",
    "torch.optim.",
    "bitsandbytes.optim.",
    "torch.nn.",
    "diffusers.",
    "transformers.",
    "peft.",
    "torchmetrics.",
)
# Where the classes of those namespaces are written; `lightning.pytorch.plugins` hands on Fabric's.
_WRITTEN_IN = (
    "lightning.pytorch.trainer.trainer.Trainer",
    "lightning.fabric.plugins.",
    "lightning.fabric.strategies.",
)


class TargetError(Exception):
    """A `_target_` that cannot be used; `is_missing` if something is not installed."""

    def __init__(self, what: str, is_missing: bool = False) -> None:
        super().__init__(what)
        self.is_missing = is_missing


def resolve_target(target: Any) -> type[Any]:
    """Import the class that a `_target_` names.

    Only classes, only by public names, and only where the class itself, not merely the path to it, belongs to
    the allowed namespaces: `stylekit.cli.subprocess.Popen` is Popen of `subprocess`, and refused.
    """
    if not isinstance(target, str) or not all(part.isidentifier() for part in target.split(".")):
        raise TargetError(f"_target_ must be the dotted name of a class, not {target!r}.")
    if any(part.startswith("_") for part in target.split(".")):
        raise TargetError(f"_target_ {target!r} names something private; only public classes can be built.")
    if not _is_allowed(target, _FOREIGN):
        raise TargetError(f"_target_ {target!r} is not allowed. {_allowed_text()}")
    found = _find(target)
    if not isinstance(found, type):
        raise TargetError(f"_target_ {target!r} is not a class; only classes can be built.")
    home = f"{found.__module__}.{found.__qualname__}"
    if not _is_allowed(home, (*_FOREIGN, *_WRITTEN_IN)):
        raise TargetError(f"_target_ {target!r} is really {home!r}, which is not allowed. {_allowed_text()}")
    if inspect.isabstract(found):
        raise TargetError(f"_target_ {target!r} is abstract; name one of its subclasses.")
    return found


def _is_allowed(name: str, foreign: tuple[str, ...]) -> bool:
    prefixes = (*_OWN, *foreign, *(f"{package}." for package in declared_packages()))
    return any(name.startswith(prefix) if prefix.endswith(".") else name == prefix for prefix in prefixes)


def _allowed_text() -> str:
    names = ", ".join(prefix.removesuffix(".") for prefix in (*_OWN, *_FOREIGN))
    return f"Allowed: classes of {names}, and of packages that declare entry points of {ENTRY_POINT_GROUP!r}."


def _find(target: str) -> Any:
    parts = target.split(".")
    module = _import(parts[0], target)
    found: Any = module
    for depth, part in enumerate(parts[1:], 1):
        name = ".".join(parts[: depth + 1])
        if (
            not hasattr(found, part)
            and isinstance(found, ModuleType)
            and found.__name__ == ".".join(parts[:depth])
        ):
            if depth == len(parts) - 1:
                raise TargetError(
                    f"{found.__name__} has no class {part!r}. {suggestion(part, _classes(found))}"
                )
            found = _import(name, target)
        elif hasattr(found, part):
            found = getattr(found, part)
        else:
            raise TargetError(f"{'.'.join(parts[:depth])} has no {part!r}.")
    return found


def _import(name: str, target: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name:
            raise TargetError(_no_module(name, target), is_missing="." not in name) from error
        raise TargetError(
            f"{target!r} needs the package {error.name!r}, which is not installed.", True
        ) from error
    except (
        Exception
    ) as error:  # a plug-in may fail in any way while it is imported; report it, break nothing else
        raise TargetError(f"importing {name} failed: {type(error).__name__}: {error}", True) from error


def _no_module(name: str, target: str) -> str:
    parent, _, last = name.rpartition(".")
    if not parent:
        return f"{target!r} needs the package {name!r}; install it or put its folder on PYTHONPATH."
    paths = getattr(importlib.import_module(parent), "__path__", [])
    siblings = [module.name for module in pkgutil.iter_modules(paths) if not module.name.startswith("_")]
    return f"there is no module {name!r}. {suggestion(last, siblings)}"


def _classes(module: ModuleType) -> list[str]:
    names = [name for name in dir(module) if not name.startswith("_")]
    return [name for name in names if isinstance(getattr(module, name, None), type)]
