"""Find the weights of a foundation: shipped with the package, in a folder, or on the hub."""

from __future__ import annotations

import os
from pathlib import Path

from stylekit.errors import MissingError

__all__ = ["locate", "missing_weights"]

SHIPPED = Path(__file__).parent / "weights"


def locate(name_or_path: str) -> str:
    """Return the folder of a shipped foundation or a local path; a hub name is returned as it is."""
    if (SHIPPED / name_or_path / "config.json").is_file():
        return str(SHIPPED / name_or_path)
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return str(path)
    if name_or_path.startswith(("/", "./", "../", "~")) or name_or_path.count("/") != 1:
        shipped = ", ".join(sorted(folder.name for folder in SHIPPED.iterdir() if folder.is_dir()))
        raise MissingError(
            f"There is no foundation '{name_or_path}': it is no folder, no hub name (owner/name) "
            f"and not shipped with stylekit (shipped: {shipped})."
        )
    return name_or_path


def missing_weights(name_or_path: str, error: Exception) -> MissingError:
    """Say what to do when the hub cannot give what was asked for."""
    offline = " HF_HUB_OFFLINE is set." if os.environ.get("HF_HUB_OFFLINE") else ""
    return MissingError(
        f"The weights '{name_or_path}' could not be loaded: {str(error).splitlines()[0]}.{offline}\n"
        f"Download them where the hub can be reached (hf download {name_or_path}) and set "
        "foundation.name_or_path to the folder, or stay with the shipped foundation (foundation=mini_siglip)."
    )
