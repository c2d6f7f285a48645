"""Look over the machine: versions, devices, tracking store, weights. Never uses the network."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import socket
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from stylekit import __version__
from stylekit.availability import find_lora_weights, find_weights
from stylekit.config import compose_group, folders
from stylekit.errors import StylekitError
from stylekit.finding import Finding, Report
from stylekit.fitting import Use, fit

__all__ = ["Finding", "Report", "doctor"]

PACKAGES = (
    "torch",
    "lightning",
    "diffusers",
    "transformers",
    "peft",
    "torchmetrics",
    "mlflow",
    "datasets",
    "omegaconf",
    "pydantic",
)
MALWARE = {"lightning": ("2.6.2", "2.6.3")}
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def doctor(
    *,
    tracking_uri: str | None = None,
    config_dirs: Sequence[str | Path] = (),
    foundation: str | None = None,
    size: int | None = None,
    batch: int = 1,
    frames: int | None = None,
    dtype: Literal["float32", "bfloat16", "float16"] | None = None,
    rank: int = 128,
) -> Report:
    """Report versions, devices, memory, disk, the tracking store, and which foundations can be used offline.

    Args:
        tracking_uri: The store to look at; that of configs/tracking/mlflow.yaml by default.
        config_dirs: Further config folders.
        foundation: Report instead what this one needs and whether it fits on this machine.
        size: Of its images, in pixels; what it was made for by default, at most 512.
        batch: Images or videos at once.
        frames: Frames of a video; what it was made for by default.
        dtype: Of its weights; what its config says by default.
        rank: Of the LoRA that is trained; 128 is MegaStyle-FLUX's.
    """
    if foundation is not None:
        use = Use(size, batch, frames, dtype, rank)
        return Report((*_machine(), *fit(foundation, use, config_dirs)))
    findings = [
        *_versions(),
        *_machine(),
        _tracking(tracking_uri or _default_uri(config_dirs)),
        *_foundations(config_dirs),
        *_plugins(config_dirs),
    ]
    return Report(tuple(findings))


def _versions() -> Iterator[Finding]:
    yield Finding("versions", "python", "fine", platform.python_version())
    yield Finding("versions", "stylekit", "fine", __version__)
    for name in PACKAGES:
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Finding("versions", name, "fault", f"not installed; run: pip install {name}")
            continue
        if version in MALWARE.get(name, ()):
            text = f"{version} was published with malware. Remove it at once: pip install 'lightning>=2.6.4'"
            yield Finding("versions", name, "fault", f"{text}; then change the secrets this machine knew.")
        else:
            yield Finding("versions", name, "fine", version)


def _machine() -> Iterator[Finding]:
    import psutil
    import torch

    gigabyte = 1024**3
    memory = psutil.virtual_memory()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("machine", "cpu", "fine", f"{cores} cores, {platform.machine()}")
    free, total = memory.available / gigabyte, memory.total / gigabyte
    yield Finding("machine", "memory", "fault" if free < 1 else "fine", f"{free:.1f} of {total:.1f} GB free")
    disk = shutil.disk_usage(Path.cwd())
    text = f"{disk.free / gigabyte:.1f} of {disk.total / gigabyte:.1f} GB free in the working folder"
    yield Finding("machine", "disk", "fault" if disk.free < gigabyte else "fine", text)
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            text = f"{properties.name}, {properties.total_memory / gigabyte:.0f} GB"
            yield Finding("machine", f"cuda:{index}", "fine", text)
    elif torch.backends.mps.is_available():
        yield Finding("machine", "mps", "fine", "Apple GPU")
    else:
        yield Finding("machine", "gpu", "absent", "none; the mini foundations are made for the CPU")


def _default_uri(config_dirs: Sequence[str | Path]) -> str:
    try:
        values = compose_group("tracking", "mlflow", (), config_dirs).values
    except StylekitError:
        return "sqlite:///runs/mlflow.db"
    return str(values["tracking"].get("uri", "sqlite:///runs/mlflow.db"))


def _tracking(uri: str) -> Finding:
    parts = urlsplit(uri)
    address = re.sub(r"(?<=//)[^/@]*@", "", uri)  # no password on the screen
    if parts.scheme == "sqlite":
        return _sqlite_store(uri, Path(uri.partition("///")[2]).expanduser())
    if parts.scheme in ("http", "https") and parts.hostname in LOOPBACK:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            socket.create_connection((parts.hostname, port), timeout=2).close()
        except OSError as error:
            return Finding("tracking", address, "fault", f"does not answer ({error}); start: mlflow server")
        return Finding("tracking", address, "fine", "answers")
    if parts.scheme in ("", "file"):
        text = "MLflow 3 refuses folders; use sqlite:///runs/mlflow.db or a server's http://HOST:5000"
        return Finding("tracking", address, "fault", text)
    return Finding("tracking", address, "absent", "not looked at: doctor does not use the network")


def _sqlite_store(uri: str, path: Path) -> Finding:
    if path.exists():
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                tables = {row[0] for row in connection.execute("select name from sqlite_master")}
        except sqlite3.Error as error:
            text = f"is not a database ({error}); choose another tracking.uri"
            return Finding("tracking", uri, "fault", text)
        if tables and "alembic_version" not in tables:
            return Finding("tracking", uri, "fault", "is not MLflow's database; choose another tracking.uri")
        if not os.access(path, os.W_OK):
            return Finding("tracking", uri, "fault", "cannot be written; change its permissions")
        return Finding("tracking", uri, "fine", "is there")
    folder = path.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return Finding("tracking", uri, "fault", f"cannot be made: {folder} cannot be written")
    return Finding("tracking", uri, "fine", "is made by the first run")


def _foundations(config_dirs: Sequence[str | Path]) -> Iterator[Finding]:
    dirs = folders.config_dirs(config_dirs)
    for name in folders.list_group("foundation", dirs):
        try:
            node = compose_group("foundation", name, (), config_dirs).values["foundation"]
        except StylekitError as error:
            yield Finding("foundations", name, "fault", str(error).splitlines()[-1].strip())
            continue
        source = node.get("name_or_path")
        if isinstance(source, str):
            yield find_weights(name, source, node.get("revision"))
        if isinstance(node.get("lora"), str):
            yield find_lora_weights(f"{name}, lora", node["lora"])


def _plugins(config_dirs: Sequence[str | Path]) -> Iterator[Finding]:
    for one in folders.config_dirs(config_dirs):
        if one.path is None:
            yield Finding("plug-ins", one.origin, "fault", one.error)
        elif one.origin != "stylekit":
            yield Finding("plug-ins", one.origin, "fine", str(one.path))
