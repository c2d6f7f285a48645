"""Load exported files as other programs do, and compare weights and an image with the run's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.utils import logging
from peft.tuners.lora import LoraLayer
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from stylekit.adapter_file import FILE_NAME, factors_of, scale_of
from stylekit.checkpoint import load_learned
from stylekit.config import build
from stylekit.errors import StylekitError
from stylekit.exporting.bfl import COMFYUI_FILE_NAME, from_bfl, is_read_by_diffusers, to_bfl
from stylekit.foundation.loading import quiet
from stylekit.learned import compose_learned, learned_file
from stylekit.method import AdapterRenderer
from stylekit.run import Run

__all__ = ["Check", "verify_export"]

_PROMPT = "A cat beside a house."
_STEPS = 4
_SEED = 0
# What rounding explains, by dtype. Of products: the largest difference, in parts of a layer's largest entry.
# Of images in [0, 1]: the mean difference, which grows from step to step.
_OF_PRODUCTS = {torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}
_OF_IMAGES = {torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 2e-2}


@dataclass(frozen=True)
class Check:
    """One file, loaded again, and found to be the run's."""

    file: Path
    reader: str
    keys: int
    layers: int
    difference: float
    """Of products B A: the largest, in parts of the largest entry of a layer."""
    image_difference: float
    """From the run's own image, mean over its values in [0, 1]."""
    effect: float
    """From the image without the adapter, likewise."""


@dataclass(frozen=True)
class _Learned:
    """What the run learned, and an image of its method."""

    factors: Mapping[str, Tensor]
    scale: float
    image: Tensor


def verify_export(run: Path | str, folder: Path | str) -> tuple[Check, ...]:
    """Load what `export` wrote into fresh foundations; a StylekitError says where it differs from the run.

    Args:
        run: The run's folder.
        folder: Where its export lies.
    """
    config = compose_learned(Run.find(run).path)
    file, node = learned_file(config), config.values["method"]
    assert file is not None  # a run's config names it
    ours = _build(node)
    load_learned(ours, file)
    learned = _Learned(factors_of(ours), scale_of(ours), _paint(ours))
    del ours  # there may not be memory for two
    return tuple(_verify(Path(folder) / name, node, learned) for name in (FILE_NAME, COMFYUI_FILE_NAME))


def _verify(file: Path, node: Mapping[str, Any], learned: _Learned) -> Check:
    try:
        tensors = load_file(file)
    except (OSError, SafetensorError) as error:
        raise StylekitError(f"{file} cannot be read: {error}.") from error
    is_bfl = file.name == COMFYUI_FILE_NAME
    expected = to_bfl(learned.factors, learned.scale) if is_bfl else learned.factors
    _compare_tensors(file, tensors, expected)

    fresh = _build(node)
    plain = _paint(fresh)
    denoiser, pipeline = fresh.foundation.denoiser, fresh.foundation.pipeline
    is_ours = is_bfl and not is_read_by_diffusers(denoiser)
    with quiet(logging):  # what it only warns of is found below
        if is_ours:
            pipeline.load_lora_weights(from_bfl(tensors, learned.factors))
        else:
            pipeline.load_lora_weights(str(file.parent), weight_name=file.name)
    layers, difference = _compare_products(denoiser, learned)
    image = _paint(fresh)
    distance, effect = (_distance(image, other) for other in (learned.image, plain))
    check = Check(
        file, "stylekit" if is_ours else "diffusers", len(tensors), layers, difference, distance, effect
    )
    # Readers bring the weights to the dtype of the foundation.
    dtypes = {denoiser.dtype, *(value.dtype for value in tensors.values())}
    _judge(check, *(max(explained[dtype] for dtype in dtypes) for explained in (_OF_PRODUCTS, _OF_IMAGES)))
    return check


def _judge(check: Check, of_products: float, of_images: float) -> None:
    """Refuse what rounding does not explain; a NaN is refused too."""
    if not check.difference <= of_products:
        raise StylekitError(
            f"{check.file}: a product of its factors is {check.difference:.1e} from the run's, in parts of "
            f"the largest entry of the layer; rounding explains {of_products:.0e}. Export it again, in "
            "float32 if it stays so."
        )
    if not check.effect > 0.0:
        raise StylekitError(
            f"{check.file}: its image is the one without an adapter; the run learned nothing: train it "
            "longer."
        )
    if not check.image_difference <= of_images or not check.image_difference < check.effect:
        raise StylekitError(
            f"{check.file}: its image is {check.image_difference:.1e} from the run's, and rounding explains "
            f"{of_images:.0e}; it is {check.effect:.1e} from the image without the adapter. Export it "
            "again, in float32 if it stays so."
        )


def _build(node: Mapping[str, Any]) -> AdapterRenderer[Any]:
    """Build the method of a few steps, where that is a setting of it."""
    few = {"num_steps": _STEPS} if "num_steps" in node else {}
    method: AdapterRenderer[Any] = build(dict(node), **few)
    return method.requires_grad_(False).eval()


def _paint(method: AdapterRenderer[Any]) -> Tensor:
    method.to("cuda" if torch.cuda.is_available() else "cpu")
    side = method.foundation.image_size
    ramp = torch.linspace(0.0, 1.0, side, device=method.device)
    reference = torch.stack(
        [ramp.expand(side, side), ramp.expand(side, side).T, 1.0 - ramp.expand(side, side)]
    )
    style = method.extract(reference[None])
    return method.render(style, [_PROMPT], None, [_SEED]).float().cpu()


def _compare_tensors(file: Path, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Refuse a file in which a tensor is missing, surplus or changed; readers may drop it without a word."""
    missing = [f"{name} is missing" for name in sorted(set(expected) - set(found))]
    surplus = [f"{name} was not learned" for name in sorted(set(found) - set(expected))]
    changed = [
        f"{name} has other values"
        for name, value in expected.items()
        if name in found and not torch.equal(found[name], value.to(found[name].dtype))
    ]
    if wrong := [*missing, *surplus, *changed]:
        more = f" and {len(wrong) - 8} more" if len(wrong) > 8 else ""
        raise StylekitError(
            f"{file} does not hold what the run learned: {', '.join(wrong[:8])}{more}. Export it again."
        )


@torch.no_grad()
def _compare_products(denoiser: Any, learned: _Learned) -> tuple[int, float]:
    """Count the layers that got an adapter, and measure how far their products are from those learned."""
    loaded = {name: layer for name, layer in denoiser.named_modules() if isinstance(layer, LoraLayer)}
    layers = {key.partition(".lora_")[0] for key in learned.factors}
    names = {layer.partition(".")[2]: layer for layer in layers}  # without `transformer.`
    if unlike := sorted(set(names) ^ set(loaded)):
        raise StylekitError(f"Loaded, the file adapts other layers than the run: {', '.join(unlike[:8])}.")
    worst = 0.0
    for name, layer in loaded.items():
        (adapter,) = layer.active_adapters
        up, down = layer.lora_B[adapter].weight.float(), layer.lora_A[adapter].weight.float()
        a, b = (learned.factors[f"{names[name]}.lora_{letter}.weight"].to(up) for letter in "AB")
        ours, theirs = learned.scale * (b @ a), layer.scaling[adapter] * (up @ down)
        distance, largest = (ours - theirs).abs().max(), ours.abs().max()
        worst = max(worst, float(distance / largest) if largest else float(distance))
    return len(loaded), worst


def _distance(image: Tensor, other: Tensor) -> float:
    return float((image - other).abs().mean())
