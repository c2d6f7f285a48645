from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from stylekit.checkpoint import save_learned
from stylekit.config import build, compose, digest
from stylekit.exporting import Export, export
from stylekit.run import Run, RunState, environment


def finish(folder: Path, experiment: str, *overrides: str) -> Run:
    """Leave what a finished run leaves, with updates at random instead of learned ones."""
    config = compose(experiment, overrides)
    run = Run(folder)
    method = build(config.values["method"])
    stages = list(config.values["stages"])
    for stage in stages:
        method.start(stage)
    torch.manual_seed(1)
    for name in sorted(method.learned):
        torch.nn.init.normal_(method.get_parameter(name), std=0.1)
    save_learned(method, method.state_dict(), run.final_checkpoint, stages)
    run.config_file.write_text(config.to_yaml())
    run.write(
        RunState(
            name=folder.name,
            experiment=config.name,
            method=config.choices["method"],
            status="finished",
            seed=3,
            config_digest=digest(config),
            data_digest="0f0f",
            stages_done=stages,
            environment=environment(),
        )
    )
    return run


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


@pytest.fixture(scope="session")
def adapter_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of megastyle_flux on mini_flux whose settings name folders of this machine."""
    folder = tmp_path_factory.mktemp("export") / "run"
    overrides = ["method.rank=3", "method.alpha=2.0", f"data.cache_dir={folder}", f"runs={folder}"]
    return finish(folder, "megastyle_flux", *overrides)


@pytest.fixture(scope="session")
def exported(adapter_run: Run) -> Export:
    return export(adapter_run.path, out=adapter_run.path.parent / "exported")


@pytest.fixture
def encoder_run(tiny_siglip: Path, tmp_path: Path) -> Run:
    """A finished run of megastyle_encoder."""
    return finish(tmp_path / "encoder_run", "megastyle_encoder", f"foundation.name_or_path={tiny_siglip}")
