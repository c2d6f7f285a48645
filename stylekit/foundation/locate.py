"""Find the weights of a foundation: shipped with the package, in a folder, or on the hub."""

from __future__ import annotations

import os
from pathlib import Path

from stylekit.errors import MissingError

__all__ = ["how_to_train", "list_shipped", "locate", "missing_weights"]

SHIPPED = Path(__file__).parent / "weights"
LAYOUTS = ("config.json", "model_index.json")
"""What marks a folder of weights: of one model (transformers, diffusers), and of a diffusers pipeline."""


def locate(name_or_path: str) -> str:
    """Return the folder of a shipped foundation or a local path; a hub name is returned as it is."""
    if name_or_path in list_shipped():
        return str(SHIPPED / name_or_path)
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return str(path)
    if name_or_path.startswith(("/", "./", "../", "~")) or name_or_path.count("/") != 1:
        raise MissingError(
            f"There is no foundation '{name_or_path}': it is no folder, no hub name (owner/name) "
            f"and not shipped with stylekit (shipped: {', '.join(list_shipped())})."
        )
    return name_or_path


def list_shipped() -> list[str]:
    """Return the names of the foundations that the package brings, sorted."""
    folders = (folder for folder in SHIPPED.iterdir() if any((folder / file).is_file() for file in LAYOUTS))
    return sorted(folder.name for folder in folders)


def how_to_train(name: str) -> str:
    """Say where the weights of a foundation come from that is laid out in the package without them."""
    return f"they are not shipped yet, `stylekit train pretrain_{name}` makes them"


def missing_weights(
    name_or_path: str, error: Exception, mini: str, group: str = "foundation"
) -> MissingError:
    """Say what to do when the hub cannot give what was asked for.

    Args:
        name_or_path: What was asked for.
        error: What the hub's client or the disk said.
        mini: The shipped foundation of the same kind, or what else of the group needs no weights.
        group: The part of a config that names it.
    """
    if name_or_path in list_shipped():
        return MissingError(f"The foundation '{name_or_path}' has no weights: {how_to_train(name_or_path)}.")
    offline = " HF_HUB_OFFLINE is set." if os.environ.get("HF_HUB_OFFLINE") else ""
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return MissingError(
        f"The weights '{name_or_path}' could not be loaded: {said}.{offline}\n"
        f"Download them where the hub can be reached (hf download {name_or_path}) and set "
        f"{group}.name_or_path to the folder, or stay with the shipped {group} ({group}={mini})."
    )
