"""Whether the weights of a foundation are on this machine, whole; never uses the network."""

from __future__ import annotations

from pathlib import Path

from stylekit.errors import StylekitError
from stylekit.finding import Finding
from stylekit.foundation.architecture import Architecture
from stylekit.foundation.layout import WEIGHTS, lacking, list_models
from stylekit.foundation.locate import LAYOUTS, find_lora, how_to_train, list_shipped, locate, split_lora

__all__ = ["download_command", "find_folder", "find_lora_weights", "find_weights"]


def find_folder(source: str, revision: str | None) -> Path | None:
    """Return the folder of a shipped foundation, a local one or one in the hub's cache; None if none."""
    from huggingface_hub import try_to_load_from_cache

    where = locate(source)
    if Path(where).is_dir():
        return Path(where)
    for file in (*LAYOUTS, *WEIGHTS):
        path = try_to_load_from_cache(source, file, revision=revision)
        if isinstance(path, str):
            return Path(path).parent
    return None


def find_weights(name: str, source: str, revision: str | None, section: str = "foundations") -> Finding:
    """Say whether a foundation can be used offline, and what it lacks."""
    from huggingface_hub import constants

    try:
        folder = find_folder(source, revision)
    except StylekitError as error:
        return Finding(section, name, "fault", str(error))
    missing = lacking(folder) if folder else []
    if folder and not missing:
        cached = folder.is_relative_to(constants.HF_HUB_CACHE)
        where = f"{source} in {constants.HF_HUB_CACHE}" if cached else f"in {folder}"
        return Finding(section, name, "fine", f"offline, {where}")
    parts = list(list_models(folder)) if folder else []
    if folder and source in list_shipped():
        return Finding(section, name, "absent", f"no weights of {', '.join(missing)}: {how_to_train(source)}")
    if folder and Path(locate(source)).is_dir():
        if missing == ["weights"]:
            return Finding(section, name, "fault", f"{folder} holds no weights ({', '.join(WEIGHTS)})")
        return Finding(section, name, "fault", f"{folder} lacks the weights of {', '.join(missing)}")
    if missing not in ([], ["weights"], parts):
        text = f"its download was broken off: the weights of {', '.join(missing)} are missing; go on with: "
        return Finding(section, name, "fault", f"{text}hf download {source}")
    text = f"needs `hf download {source}` (into {constants.HF_HUB_CACHE}; HF_HOME moves it), or a folder: "
    return Finding(section, name, "absent", f"{text}foundation.name_or_path=FOLDER")


def find_lora_weights(name: str, lora: str, section: str = "foundations") -> Finding:
    """Say whether the LoRA of a foundation can be used offline."""
    try:
        return Finding(section, name, "fine", f"offline, {find_lora(lora, local_only=True)}")
    except StylekitError as error:
        hub = split_lora(lora)
        if hub is None:
            return Finding(section, name, "fault", str(error))
        text = f"needs `hf download {' '.join(hub)}`, or a file: foundation.lora=FILE"
        return Finding(section, name, "absent", text)


def download_command(architecture: Architecture) -> str:
    """Return the command that downloads what is loaded and not the other formats beside it."""
    if [one.name for one in architecture.components] == ["model"]:
        wanted = ["*.safetensors"]
    else:
        wanted = [f"{one.name}/*.safetensors" for one in architecture.components]
    patterns = ["*.json", "*.txt", "*.model", *wanted]
    includes = " ".join(f'--include "{pattern}"' for pattern in patterns)
    return f'hf download {architecture.name} {includes} --exclude "*fp16*" --exclude "*non_ema*"'
