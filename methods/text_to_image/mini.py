"""Lay out the mini generators before they are trained: architectures and tokenizers, on mini_vae.

    python -m methods.text_to_image.mini mini_flux FOLDER

`stylekit train pretrain_mini_flux` draws random weights for this architecture and trains them;
`python -m methods.text_to_image.mini mini_flux FOLDER --run RUN` then writes what it learned into the folder.
The others are mini_sd, mini_pixel and mini_video.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    DiffusionPipeline,
    DPMSolverMultistepScheduler,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    IFPipeline,
    LattePipeline,
    LatteTransformer3DModel,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

from stylekit.atelier.tokenizer import clip_tokenizer, t5_tokenizer
from stylekit.errors import ConfigError
from stylekit.foundation.generator import Generator
from stylekit.foundation.latents import LatentGenerator
from stylekit.foundation.loading import forget_paths
from stylekit.foundation.vae import Vae
from stylekit.learned import load_method
from stylekit.seeding import drawing_from

__all__ = ["LAYOUTS", "lay_out", "ship"]

TEXT_WIDTH = 128
NUM_TOKENS = 26  # the longest prompt of content and style has 25
NUM_FILM_TOKENS = 36  # and of motion


def lay_out(name: str, folder: Path) -> None:
    """Write configs, tokenizers and weights, all but those of the autoencoder drawn at random."""
    with drawing_from(0):
        pipeline = LAYOUTS[name]()
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            part.half()
    pipeline.save_pretrained(folder)
    forget_paths(folder)


def ship(run: Path, folder: Path) -> None:
    """Write what a run learned, in half precision, on the autoencoder that is shipped now."""
    foundation = load_method(run).foundation
    assert isinstance(foundation, Generator)
    if isinstance(foundation, LatentGenerator):
        shipped = _vae()
        for name, value in shipped.encoder.state_dict().items():
            if not torch.equal(value, foundation.vae.encoder.get_parameter(name)):
                raise ConfigError(
                    f"{run} learned from latents of another mini_vae than is shipped: train it again."
                )
        foundation.pipeline.register_modules(vae=shipped)
    foundation.save(folder, torch.float16)


def _flux() -> DiffusionPipeline:
    return FluxPipeline(
        transformer=FluxTransformer2DModel(
            in_channels=64,  # two by two latents of 16 channels
            num_layers=1,
            num_single_layers=5,
            attention_head_dim=32,
            num_attention_heads=5,
            joint_attention_dim=TEXT_WIDTH,
            pooled_projection_dim=TEXT_WIDTH,
            guidance_embeds=False,
            axes_dims_rope=(8, 12, 12),
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(),
        text_encoder=_clip(NUM_TOKENS),
        tokenizer=clip_tokenizer(NUM_TOKENS),
        text_encoder_2=_t5(len(t5_tokenizer(NUM_TOKENS))),
        tokenizer_2=t5_tokenizer(NUM_TOKENS),
    )


def _stable_diffusion() -> DiffusionPipeline:
    return StableDiffusionPipeline(
        unet=UNet2DConditionModel(
            sample_size=16,
            in_channels=16,
            out_channels=16,
            block_out_channels=(64, 80, 64, 32),
            layers_per_block=1,
            attention_head_dim=4,  # heads, as SD 1.5 means it
            cross_attention_dim=TEXT_WIDTH,
            norm_num_groups=16,
        ),
        scheduler=_ddim(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012),
        vae=_vae(),
        text_encoder=_clip(NUM_TOKENS),
        tokenizer=clip_tokenizer(NUM_TOKENS),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _pixel() -> DiffusionPipeline:
    return IFPipeline(
        unet=UNet2DConditionModel(
            sample_size=32,
            in_channels=3,
            out_channels=6,  # as DeepFloyd IF: the noise, and its variance
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(48, 64, 80),
            layers_per_block=1,
            attention_head_dim=4,
            cross_attention_dim=TEXT_WIDTH,
            norm_num_groups=16,
        ),
        scheduler=DPMSolverMultistepScheduler(
            beta_schedule="squaredcos_cap_v2", prediction_type="v_prediction", timestep_spacing="trailing"
        ),
        text_encoder=_t5(len(t5_tokenizer(NUM_TOKENS))),
        tokenizer=t5_tokenizer(NUM_TOKENS),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )


def _latte() -> DiffusionPipeline:
    return LattePipeline(
        transformer=LatteTransformer3DModel(
            num_attention_heads=4,
            attention_head_dim=32,
            in_channels=16,
            out_channels=32,  # as Latte-1: the pipeline takes the first half
            num_layers=4,
            cross_attention_dim=TEXT_WIDTH,
            attention_bias=True,
            sample_size=16,
            patch_size=2,
            activation_fn="gelu-approximate",
            num_embeds_ada_norm=1000,
            norm_type="ada_norm_single",
            norm_elementwise_affine=False,
            norm_eps=1e-6,
            caption_channels=TEXT_WIDTH,
            video_length=8,
        ),
        scheduler=_ddim(beta_schedule="linear", beta_start=0.0001, beta_end=0.02),
        vae=_vae(),
        text_encoder=_t5(len(t5_tokenizer(NUM_FILM_TOKENS))),
        tokenizer=t5_tokenizer(NUM_FILM_TOKENS),
    )


LAYOUTS: dict[str, Callable[[], DiffusionPipeline]] = {
    "mini_flux": _flux,
    "mini_sd": _stable_diffusion,
    "mini_pixel": _pixel,
    "mini_video": _latte,
}


def _vae() -> AutoencoderKL:
    return Vae("mini_vae").model


def _ddim(**schedule: float | str) -> DDIMScheduler:
    """Predict v (arXiv 2202.00512), which is of one size at every level of noise."""
    return DDIMScheduler(
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,
        **schedule,
    )


def _clip(num_tokens: int) -> CLIPTextModel:
    tokenizer = clip_tokenizer(num_tokens)
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=TEXT_WIDTH,
            intermediate_size=2 * TEXT_WIDTH,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=num_tokens,
            projection_dim=TEXT_WIDTH,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _t5(vocabulary_size: int) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=vocabulary_size,
            d_model=TEXT_WIDTH,
            d_kv=32,
            d_ff=2 * TEXT_WIDTH,
            num_layers=2,
            num_heads=4,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
        )
    )


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=LAYOUTS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", type=Path, help="a finished run of pretrain_NAME")
    arguments = parser.parse_args()
    if arguments.run is None:
        lay_out(arguments.name, arguments.folder)
    else:
        ship(arguments.run, arguments.folder)


if __name__ == "__main__":
    main()
