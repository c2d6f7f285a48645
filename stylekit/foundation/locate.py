"""Find the weights of a foundation: shipped with the package, in a folder, or on the hub."""

from __future__ import annotations

import os
from pathlib import Path

from stylekit.errors import MissingError

__all__ = [
    "LORA_FILE",
    "find_lora",
    "how_to_train",
    "list_shipped",
    "locate",
    "missing_weights",
    "split_lora",
    "weight_files",
]

SHIPPED = Path(__file__).parent / "weights"
LAYOUTS = ("config.json", "model_index.json")
"""What marks a folder of weights: of one model (transformers, diffusers), and of a diffusers pipeline."""

_BESIDE_WEIGHTS = ("README.md", ".gitattributes")

LORA_FILE = "pytorch_lora_weights.safetensors"
"""What diffusers calls the file of a LoRA."""


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


def weight_files(name_or_path: str) -> list[Path]:
    """List the files of a shipped foundation or a local path; none of what the hub gives, and no card."""
    files = (file for file in Path(locate(name_or_path)).rglob("*") if file.is_file())
    return sorted(file for file in files if file.name not in _BESIDE_WEIGHTS)


def list_shipped() -> list[str]:
    """Return the names of the foundations that the package brings, sorted."""
    folders = (folder for folder in SHIPPED.iterdir() if any((folder / file).is_file() for file in LAYOUTS))
    return sorted(folder.name for folder in folders)


def how_to_train(name: str) -> str:
    """Say where the weights of a foundation come from that is laid out in the package without them."""
    return f"they are not shipped yet, `stylekit train pretrain_{name}` makes them"


def missing_weights(
    name_or_path: str, error: Exception, mini: str | None, group: str = "foundation"
) -> MissingError:
    """Say what to do when the hub cannot give what was asked for.

    Args:
        name_or_path: What was asked for.
        error: What the hub's client or the disk said.
        mini: The shipped foundation of the same kind, or what of the group needs no weights; null for none.
        group: The part of a config that names it.
    """
    if name_or_path in list_shipped():
        return MissingError(f"The foundation '{name_or_path}' has no weights: {how_to_train(name_or_path)}.")
    offline = " HF_HUB_OFFLINE is set." if os.environ.get("HF_HUB_OFFLINE") else ""
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    advice = (
        f"{group}.name_or_path to the folder, or stay with the shipped {group} ({group}={mini})"
        if mini
        else "its name_or_path to the folder"
    )
    return MissingError(
        f"The weights '{name_or_path}' could not be loaded: {said}.{offline}\n"
        f"Download them where the hub can be reached (hf download {name_or_path}) and set {advice}."
    )


def split_lora(name: str) -> tuple[str, str] | None:
    """Return repository and file of owner/name or owner/name/file; None for what is no name on the hub."""
    parts = name.split("/")
    if name.startswith(("/", ".", "~")) or len(parts) < 2:
        return None
    return "/".join(parts[:2]), "/".join(parts[2:]) or LORA_FILE


def find_lora(name: str, local_only: bool = False) -> Path:
    """Return the file of a LoRA, from the hub if it has to come from there.

    Args:
        name: A file, a folder with the file that diffusers writes, owner/name on the hub, or owner/name/file.
        local_only: Do not use the network.
    """
    from huggingface_hub import hf_hub_download

    path = Path(name).expanduser()
    if path.is_dir() and (path / LORA_FILE).is_file():
        return path / LORA_FILE
    if path.is_file():
        return path
    if path.is_dir():
        raise MissingError(f"The folder of the LoRA {name} holds no {LORA_FILE}: name the file in it.")
    hub = split_lora(name)
    if hub is None:
        raise MissingError(
            f"There is no LoRA '{name}': it is no file, no folder and no hub name (owner/name, or "
            "owner/name/file)."
        )
    try:
        return Path(hf_hub_download(*hub, local_files_only=local_only))
    except OSError as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingError(
            f"The LoRA '{name}' could not be loaded: {said}\nDownload it where the hub can be reached "
            f"(hf download {' '.join(hub)}) and set foundation.lora to the file."
        ) from error
