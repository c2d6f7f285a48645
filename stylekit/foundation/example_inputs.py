"""Arguments of a foundation's models at a size, to run their architectures with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from stylekit.errors import MissingError
from stylekit.foundation.architecture import Architecture, Component

__all__ = ["GUIDED", "TOWERS", "Job", "can_decode", "decoder_inputs", "inputs", "natural_job"]

DECODERS = ("AutoencoderKL", "AutoencoderKLWan")
# Tokens that pipelines fill prompts up to (diffusers 0.42), unless the tokenizer says less.
TEXT_LENGTHS = {
    "FluxTransformer2DModel": 512,
    "WanTransformer3DModel": 512,
    "LatteTransformer3DModel": 120,
    "UNet2DConditionModel": 77,
}
GUIDED = ("UNet2DConditionModel", "LatteTransformer3DModel")
"""Classes that are sampled with two passes in one batch; FLUX.1-dev takes its guidance as an argument."""

TOWERS = ("Dinov2Model", "DepthAnythingForDepthEstimation")
"""Classes that look at images of any size that their patches fill; no method trains them."""


@dataclass(frozen=True)
class Job:
    """What is made or trained: images of `size` squared pixels, videos of `num_frames` of them."""

    size: int
    batch: int = 1
    num_frames: int = 1


def natural_job(architecture: Architecture) -> Job:
    """Return the size that a foundation was made for, at most 512 if it draws, and its number of frames."""
    trained, vae = architecture.trained, architecture.component("vae")
    config = trained.config
    if trained.class_name in TOWERS:
        return Job(int(config.get("backbone_config", config)["image_size"]))
    frames = {"WanTransformer3DModel": 81, "LatteTransformer3DModel": int(config.get("video_length", 16))}
    if "vision_config" in config:
        size = int(config["vision_config"].get("image_size", 224))
    elif vae is None:
        size = int(config.get("sample_size") or 64)
    elif config.get("sample_size"):
        size = int(config["sample_size"]) * shrinking(vae)
    else:
        size = int(vae.config.get("sample_size") or 512)
    return Job(min(size, 512), 1, frames.get(trained.class_name, 1))


def shrinking(vae: Component | None) -> int:
    """Return by how much the sides of an image shrink into its latents."""
    if vae is None:
        return 1
    sizes = vae.config.get("block_out_channels") or vae.config.get("dim_mult") or [0, 0, 0, 0]
    return int(2 ** (len(sizes) - 1))


def inputs(architecture: Architecture, job: Job, dtype: torch.dtype, guided: bool = False) -> dict[str, Any]:
    """Return the arguments of one call of the model that adapters are trained on.

    Args:
        architecture: Of the foundation.
        job: Size, batch and frames.
        dtype: Of what the model takes as numbers.
        guided: Twice the batch where the class is sampled under guidance.
    """
    trained = architecture.trained
    config, name = trained.config, trained.class_name
    count = job.batch * (2 if guided and name in GUIDED else 1)
    side = job.size // shrinking(architecture.component("vae"))

    def zeros(*shape: int) -> torch.Tensor:
        return torch.zeros(*shape, dtype=dtype)

    if "vision_config" in config:
        size = int(config["vision_config"].get("image_size", 224))
        return {"part": "vision_model", "pixel_values": zeros(count, 3, size, size)}
    if name in TOWERS:
        return {"pixel_values": zeros(count, 3, job.size, job.size)}
    if name == "AutoencoderKL":
        return {"sample": zeros(count, 3, job.size, job.size), "return_dict": False}
    if name not in TEXT_LENGTHS:
        raise MissingError(
            f"stylekit does not know how {name} is called: known are {', '.join(TEXT_LENGTHS)}."
        )
    words = min(TEXT_LENGTHS[name], architecture.text_length or TEXT_LENGTHS[name])
    width = _text_width(config)
    text = {"encoder_hidden_states": zeros(count, words, width), "return_dict": False}
    if name == "FluxTransformer2DModel":
        return text | _flux(config, (side // 2) ** 2, words, count, dtype)
    if name == "UNet2DConditionModel":
        latents = zeros(count, int(config.get("in_channels", 4)), side, side)
        return text | {"sample": latents, "timestep": torch.zeros(count, dtype=torch.long)}
    frames = job.num_frames if name.startswith("Latte") else (job.num_frames - 1) // 4 + 1
    latents = zeros(count, int(config.get("in_channels", 16)), frames, side, side)
    return text | {"hidden_states": latents, "timestep": torch.zeros(count, dtype=torch.long)}


def can_decode(vae: Component) -> bool:
    """Tell whether `decoder_inputs` knows the class."""
    return vae.class_name in DECODERS


def decoder_inputs(vae: Component, job: Job, dtype: torch.dtype) -> dict[str, Any]:
    """Return the arguments that decode what `job` makes."""
    side = job.size // shrinking(vae)
    shape: tuple[int, ...]
    if vae.class_name == "AutoencoderKLWan":
        shape = (job.batch, int(vae.config.get("z_dim", 16)), (job.num_frames - 1) // 4 + 1, side, side)
    else:  # LattePipeline decodes 14 frames at a time
        shape = (min(job.batch * job.num_frames, 14), int(vae.config.get("latent_channels", 4)), side, side)
    return {"part": "decode", "z": torch.zeros(*shape, dtype=dtype), "return_dict": False}


def _text_width(config: Mapping[str, Any]) -> int:
    keys = ("joint_attention_dim", "caption_channels", "text_dim", "encoder_hid_dim", "cross_attention_dim")
    return int(next(config[key] for key in keys if config.get(key)))


def _flux(
    config: Mapping[str, Any], tokens: int, words: int, count: int, dtype: torch.dtype
) -> dict[str, Any]:
    guidance = torch.ones(count, dtype=dtype) if config.get("guidance_embeds") else None
    return {
        "hidden_states": torch.zeros(count, tokens, int(config["in_channels"]), dtype=dtype),
        "pooled_projections": torch.zeros(count, int(config["pooled_projection_dim"]), dtype=dtype),
        "timestep": torch.zeros(count, dtype=dtype),
        "img_ids": torch.zeros(tokens, 3),
        "txt_ids": torch.zeros(words, 3),
        "guidance": guidance,
    }
