"""Whether a foundation fits on this machine, told from its architecture before anything is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch

from stylekit.availability import download_command, find_folder, find_lora_weights, find_weights
from stylekit.config import compose_group
from stylekit.errors import ConfigError, MissingError
from stylekit.finding import Finding
from stylekit.foundation.architecture import (
    Architecture,
    Component,
    list_published,
    published,
    read_architecture,
)
from stylekit.foundation.example_inputs import (
    GUIDED,
    TOWERS,
    Job,
    can_decode,
    decoder_inputs,
    inputs,
    natural_job,
)
from stylekit.foundation.memory import LEARNED_BYTES, Step, measure_inference, measure_training

__all__ = ["Device", "Use", "fit", "this_device"]

GB = 1e9
MARGIN = 1.1
"""Gaps between allocations and workspaces of kernels, which are not measured."""
CONTEXT = 0.8 * GB
"""What Python with torch takes, and what a CUDA context takes on its device."""
KEPT_FLOAT32 = ("AutoencoderKLWan",)
"""Classes that are loaded in float32, whatever is asked for."""
WHOLE = ("AutoencoderKL",)
"""Classes that no adapters are put on."""
DTYPES = ("float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Use:
    """How a foundation is to be used; None stands for what it was made for or what its config says.

    Args:
        size: Side of the images in pixels.
        batch: Images or videos at once.
        num_frames: Frames of a video.
        dtype: Of the frozen weights and of the computation.
        rank: Of the LoRA that is trained.
    """

    size: int | None = None
    batch: int = 1
    num_frames: int | None = None
    dtype: str | None = None
    rank: int = 128


@dataclass(frozen=True)
class Device:
    """Where a foundation is to run, and the bytes that are free there."""

    name: str
    free: float

    def fits(self, size: float) -> bool:
        """Whether so much fits beside what torch itself takes."""
        return size * MARGIN + CONTEXT <= self.free


def this_device() -> Device:
    """Return the first GPU, or the processor with the memory that is available."""
    import psutil

    if torch.cuda.is_available():
        return Device(torch.cuda.get_device_name(0), float(torch.cuda.mem_get_info(0)[0]))
    return Device("this machine (no GPU)", float(psutil.virtual_memory().available))


def fit(
    name: str, use: Use, config_dirs: Sequence[str | Path] = (), device: Device | None = None
) -> Iterator[Finding]:
    """Say what a foundation needs for inference and LoRA training, and whether that fits here.

    Args:
        name: Of a config in configs/foundation.
        use: What it is to be used for.
        config_dirs: Further config folders.
        device: Where it is to run; this machine's by default.
    """
    section = f"foundation {name}"
    node = compose_group("foundation", name, (), config_dirs).values["foundation"]
    source, revision = node.get("name_or_path"), node.get("revision")
    if not isinstance(source, str):
        yield Finding(section, "weights", "fine", "come with a Python package; nothing to download")
        return
    weights = find_weights("weights", source, revision, section)
    yield weights
    if isinstance(node.get("lora"), str):
        yield find_lora_weights("lora", node["lora"], section)
    try:
        architecture = _architecture(source, revision)
        yield from _models(section, architecture)
        yield from _disk(section, architecture, is_there=weights.state == "fine")
        own = node.get("image_size")
        job, dtype = _job(architecture, replace(use, size=use.size or own)), _dtype(node, use)
        device = device or this_device()
        yield from _memory(architecture, job, dtype, use.rank, device)
    except MissingError as error:
        yield Finding(section, "architecture", "absent", str(error))


def _architecture(source: str, revision: str | None) -> Architecture:
    folder = None if source in list_published() else find_folder(source, revision)
    return read_architecture(folder) if folder else published(source)


def _job(architecture: Architecture, use: Use) -> Job:
    natural = natural_job(architecture)
    wished = Job(use.size or natural.size, use.batch, use.num_frames or natural.num_frames)
    if min(wished.size, wished.batch, wished.num_frames, use.rank) < 1:
        raise ConfigError("size, batch, frames and rank are at least 1.")
    if "vision_config" in architecture.trained.config and wished.size != natural.size:
        raise ConfigError(
            f"'{architecture.name}' sees {natural.size} px, whatever the images: leave size out."
        )
    trained = architecture.trained
    step = int(trained.config["patch_size"]) if trained.class_name in TOWERS else 16
    if wished.size % step:
        raise ConfigError(f"size must be a multiple of {step}, not {wished.size}.")
    return wished


def _dtype(node: Mapping[str, Any], use: Use) -> torch.dtype:
    name = use.dtype or str(node.get("dtype") or "float32")
    if name not in DTYPES:
        raise ConfigError(f"dtype must be one of {', '.join(DTYPES)}, not '{name}'.")
    return getattr(torch, name)  # type: ignore[no-any-return]


def _models(section: str, architecture: Architecture) -> Iterator[Finding]:
    for one in architecture.components:
        text = (
            f"{one.class_name}, {one.count_parameters() / 1e6:,.1f} M parameters, {_gb(one.download_bytes)}"
        )
        yield Finding(section, one.name, "fine", f"{text} on disk ({one.stored})")
    yield Finding(section, "configs", "fine", f"from {architecture.source}")


def _disk(section: str, architecture: Architecture, is_there: bool) -> Iterator[Finding]:
    from huggingface_hub import constants

    if is_there:
        yield Finding(section, "download", "fine", "nothing: it is there")
        return
    folder = Path(constants.HF_HUB_CACHE).absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    size = sum(one.download_bytes for one in architecture.components)
    fits = size < free
    text = f"{_gb(size)} into {constants.HF_HUB_CACHE}, where {_gb(free)} are free: "
    text += "fits" if fits else "does not fit; HF_HOME moves it to another disk"
    yield Finding(section, "download", "fine" if fits else "fault", text)
    yield Finding(section, "command", "fine", download_command(architecture))


def _memory(
    architecture: Architecture, job: Job, dtype: torch.dtype, rank: int, device: Device
) -> Iterator[Finding]:
    what = f"{job.size} px, batch {job.batch}, {str(dtype).removeprefix('torch.')}"
    what += f", {job.num_frames} frames" if job.num_frames > 1 else ""
    yield from _options(f"inference ({what})", _inference(architecture, job, dtype), device)
    trained = architecture.trained
    if trained.class_name not in (*WHOLE, *TOWERS):
        training = _training(architecture, job, dtype, rank)
        yield from _options(f"LoRA training ({what}, rank {rank})", training, device)
    if "vision_config" in trained.config or trained.class_name in WHOLE:
        part = "image tower" if "vision_config" in trained.config else "model"
        options = _training(architecture, job, dtype, None)
        yield from _options(f"training of the whole {part} ({what})", options, device)
    text = (
        f"parameters x bytes ({LEARNED_BYTES} where learned: float32, Adam's moments) + the peak of one step "
        f"run on tensors without storage, attention fused; fits if {MARGIN} x that + {_gb(CONTEXT)} are free"
    )
    yield Finding("how it was reckoned", "memory", "fine", text)
    yield Finding("how it was reckoned", "GB", "fine", "10^9 bytes")


@dataclass(frozen=True)
class _Option:
    """A way to run, and what it takes on the device."""

    name: str
    size: float
    text: str


def _inference(architecture: Architecture, job: Job, dtype: torch.dtype) -> Iterator[_Option]:
    """Yield ways to run a step of denoising, or encoding, and the decoding; the leanest last."""
    trained, vae = architecture.trained, architecture.component("vae")
    guided = ", two passes of guidance in one batch" if trained.class_name in GUIDED else ""
    for kept in (dtype, torch.bfloat16) if dtype == torch.float32 else (dtype,):
        steps = {one.name: Step(_bytes(one, kept), 0, 0) for one in architecture.components}
        call = partial(inputs, architecture, job, guided=True)
        steps[trained.name] = measure_inference(trained, call, kept)
        if vae is not None and can_decode(vae):
            steps["vae"] = measure_inference(vae, partial(decoder_inputs, vae, job), _kept(vae, kept))
        weights = sum(step.weights for step in steps.values())
        working = max(step.working for step in steps.values())
        label = "as asked" if kept == dtype else "in bfloat16"
        text = f"weights {_gb(weights)}, working memory {_gb(working)}{guided}"
        yield _Option(label, weights + working, text)
        if len(steps) > 1:
            largest = max(steps, key=lambda name: steps[name].total)
            text = f"{largest} alone, the others wait in the machine's memory ({_gb(weights)}) or on disk"
            yield _Option(f"{label}, offloaded", steps[largest].total, text)


def _training(
    architecture: Architecture, job: Job, dtype: torch.dtype, rank: int | None
) -> Iterator[_Option]:
    """Yield ways to train, each leaner than the one before."""
    trained = architecture.trained
    others = [one for one in architecture.components if one is not trained]
    beside = sum(_bytes(one, dtype) for one in others)

    def option(name: str, step: Step, beside: int) -> _Option:
        learned = f"{step.learned / LEARNED_BYTES / 1e6:,.1f} M learned {_gb(step.learned)}"
        text = f"weights {_gb(step.weights + beside)}, {learned}, "
        return _Option(name, step.total + beside, f"{text}activations and gradients {_gb(step.working)}")

    def measure(kept: torch.dtype, job: Job, checkpointing: bool) -> Step:
        return measure_training(trained, partial(inputs, architecture, job), kept, rank, checkpointing)

    yield option("as asked", measure(dtype, job, False), beside)
    name = "gradient checkpointing"
    yield option(name, step := measure(dtype, job, True), beside)
    if others:
        name += ", cached encodings"
        yield option(name, step, 0)
    if dtype == torch.float32:
        name += ", bfloat16"
        yield option(name, measure(torch.bfloat16, job, True), 0)
    if job.batch > 1:
        name += ", batch 1"
        yield option(name, measure(torch.bfloat16, replace(job, batch=1), True), 0)


def _options(section: str, options: Iterator[_Option], device: Device) -> Iterator[Finding]:
    """Yield options up to the first that fits; the first is a fault if it does not."""
    free = f"{_gb(device.free)} free on {device.name}"
    for index, one in enumerate(options):
        fits = device.fits(one.size)
        state: Literal["fine", "absent", "fault"] = "fine" if fits else "absent" if index else "fault"
        verdict = "fits" if fits else "does not fit"
        yield Finding(section, one.name, state, f"{_gb(one.size)}, {free}: {verdict} ({one.text})")
        if fits:
            return
    yield Finding(section, "so", "absent", "needs a device with more memory, or a smaller size")


def _gb(size: float) -> str:
    return (
        f"{size / GB:,.1f} GB"
        if size >= GB
        else f"{size / 1e6:,.1f} MB"
        if size < 1e8
        else f"{size / 1e6:,.0f} MB"
    )


def _bytes(component: Component, dtype: torch.dtype) -> int:
    return component.count_parameters() * _kept(component, dtype).itemsize


def _kept(component: Component, dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if component.class_name in KEPT_FLOAT32 else dtype
