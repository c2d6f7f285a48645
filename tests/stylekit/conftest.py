from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch


@pytest.fixture
def tiny_pipeline(tmp_path: Path) -> Path:
    """A folder in diffusers' layout: a UNet and a VAE in float16, and parts without weights."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    folder = tmp_path / "tiny_pipeline"
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=8,
    )
    blocks = {"down_block_types": ("DownEncoderBlock2D",) * 2, "up_block_types": ("UpDecoderBlock2D",) * 2}
    vae = AutoencoderKL(block_out_channels=(8, 8), norm_num_groups=4, sample_size=16, **blocks)
    unet.to(torch.float16).save_pretrained(folder / "unet")
    vae.to(torch.float16).save_pretrained(folder / "vae")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "feature_extractor": [None, None],
        "requires_safety_checker": False,
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder
