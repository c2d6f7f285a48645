from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from stylekit.errors import MissingError
from stylekit.foundation.architecture import Component, list_published, published, read_architecture
from stylekit.foundation.example_inputs import Job, inputs, natural_job
from stylekit.foundation.layout import list_models
from stylekit.foundation.locate import SHIPPED
from stylekit.foundation.memory import adapted_layers

FLUX = "black-forest-labs/FLUX.1-dev"
SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"
WAN = "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"
IF = "DeepFloyd/IF-I-M-v1.0"
LATTE = "maxin-cn/Latte-1"
CLIP = "openai/clip-vit-large-patch14"
DEPTH = "depth-anything/Depth-Anything-V2-Large-hf"
SIGLIP = "google/siglip-so400m-patch14-384"
T5_XXL = 4_762_310_656
CLIP_TEXT = 123_060_480
SD_VAE = 83_653_863


def build(name: str) -> nn.Module:
    with torch.device("meta"):
        return published(name).trained.build()


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        (
            FLUX,
            {
                "transformer": 11_901_408_320,
                "text_encoder": CLIP_TEXT,
                "text_encoder_2": T5_XXL,
                "vae": 83_819_683,
            },
        ),
        (SD15, {"unet": 859_520_964, "text_encoder": CLIP_TEXT, "vae": SD_VAE}),
        (WAN, {"transformer": 1_418_996_800, "text_encoder": 5_680_910_336, "vae": 126_892_531}),
        (IF, {"unet": 371_605_830, "text_encoder": T5_XXL}),
        (LATTE, {"transformer": 1_057_246_880, "text_encoder": T5_XXL, "vae": SD_VAE}),
        (CLIP, {"model": 427_616_513}),
        (SIGLIP, {"model": 877_960_498}),
        ("google/siglip-base-patch16-224", {"model": 203_155_970}),
        ("facebook/dinov2-base", {"model": 86_580_480}),
        (DEPTH, {"model": 335_315_649}),
    ],
)
def test_published_architectures_have_the_published_size(name: str, counts: dict[str, int]) -> None:
    assert {one.name: one.count_parameters() for one in published(name).components} == counts


def test_wan_files_are_as_large_as_the_hub_says() -> None:
    # Sizes of the files at revision 0fad780a534b6463e45facd96134c9f345acfa5b; headers are some 100 kB.
    files = {"transformer": 5_676_070_648, "text_encoder": 22_723_671_544, "vae": 507_591_892}
    for one in published(WAN).components:
        assert one.download_bytes == pytest.approx(files[one.name], rel=1e-3)


def test_flux_has_the_modules_that_methods_address() -> None:
    model = build(FLUX)
    names = {name for name, _ in model.named_modules()}
    double = "attn.to_q attn.to_k attn.to_v attn.to_out.0 attn.add_q_proj attn.add_k_proj attn.add_v_proj"
    double += " attn.to_add_out ff.net.0.proj ff.net.2 ff_context.net.0.proj ff_context.net.2"
    double += " norm1.linear norm1_context.linear"
    single = "attn.to_q attn.to_k attn.to_v proj_mlp proj_out norm.linear"
    wanted = {f"transformer_blocks.{i}.{part}" for i in range(19) for part in double.split()}
    wanted |= {f"single_transformer_blocks.{i}.{part}" for i in range(38) for part in single.split()}
    assert wanted <= names
    # MegaStyle-FLUX's adapters are on these and no others.
    assert set(adapted_layers(model, "FluxTransformer2DModel")) == wanted


def test_last_six_self_attentions_of_sd15_are_those_of_the_last_two_up_blocks() -> None:
    model = build(SD15)
    order: list[str] = []
    for name, module in model.named_modules():
        if name.endswith("attn1"):
            module.register_forward_hook(lambda *_, name=name: order.append(name))
    with torch.device("meta"):
        arguments = inputs(published(SD15), Job(256), torch.float32)
        model(**arguments)
    assert len(order) == 16
    blocks = [f"up_blocks.{b}.attentions.{i}.transformer_blocks.0.attn1" for b in (2, 3) for i in (0, 1, 2)]
    assert order[-6:] == blocks
    # StyleGallery reads features after up_blocks.2: 640 channels of 64 x 64 at 512 px.
    assert model.up_blocks[2].resnets[-1].out_channels == 640  # type: ignore[index]


def test_video_models_have_the_attentions_that_methods_address() -> None:
    names = {name for name, _ in build(WAN).named_modules()}
    parts = [
        f"{attention}.{part}"
        for attention in ("attn1", "attn2")
        for part in ("to_q", "to_k", "to_v", "norm_k")
    ]
    assert {f"blocks.{i}.{part}" for i in range(30) for part in parts} <= names
    names = {name for name, _ in build(LATTE).named_modules()}
    assert {
        f"temporal_transformer_blocks.{i}.attn1.{part}"
        for i in range(28)
        for part in ("to_q", "to_k", "to_v")
    } <= names


def test_pixel_model_predicts_noise_and_variance_at_64_pixels() -> None:
    model: Any = build(IF)
    assert (model.config.in_channels, model.config.out_channels, model.config.sample_size) == (3, 6, 64)
    assert published(IF).component("vae") is None


def test_image_towers_have_the_patches_that_methods_select() -> None:
    clip: Any = build(CLIP)
    assert clip.vision_model.embeddings.position_embedding.weight.shape == (257, 1024)
    assert clip.visual_projection.out_features == 768
    siglip: Any = build(SIGLIP)
    assert siglip.vision_model.embeddings.position_embedding.weight.shape == (729, 1152)


def test_natural_jobs() -> None:
    jobs = {name: natural_job(published(name)) for name in list_published()}
    assert jobs[FLUX] == Job(512)
    assert jobs[IF] == Job(64)
    assert jobs[SIGLIP] == Job(384)
    assert jobs[DEPTH] == Job(518)
    assert jobs[LATTE] == Job(512, num_frames=16)
    assert jobs[WAN] == Job(512, num_frames=81)


def test_folders_are_read_as_published_files_are(tmp_path: Path, tiny_pipeline: Path) -> None:
    architecture = read_architecture(tiny_pipeline)
    assert {one.name: one.class_name for one in architecture.components} == {
        "unet": "UNet2DConditionModel",
        "vae": "AutoencoderKL",
    }
    unet = architecture.trained
    from diffusers import UNet2DConditionModel

    real = UNet2DConditionModel.from_pretrained(tiny_pipeline / "unet")
    assert unet.count_parameters() == sum(one.numel() for one in real.parameters())
    assert unet.stored == "float16"
    with pytest.raises(MissingError, match=r"holds no config\.json"):
        read_architecture(tmp_path)


def test_shipped_foundations_are_called_at_their_own_size() -> None:
    for path in sorted(SHIPPED.iterdir()):
        if not list_models(path):
            continue
        architecture = read_architecture(path)
        job = natural_job(architecture)
        assert job.size == (32 if path.name == "mini_pixel" else 64), path.name
        arguments = inputs(architecture, job, torch.float32)
        if "encoder_hidden_states" in arguments:
            assert arguments["encoder_hidden_states"].shape[1] == architecture.text_length


def test_unknown_names_and_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=FLUX):
        published("nobody/nothing")
    with pytest.raises(MissingError, match="has no class NoSuchModel"):
        Component("unet", "diffusers", "NoSuchModel", {}, "float32").build()
    with pytest.raises(MissingError, match="not of diffusers or transformers"):
        Component("unet", "elsewhere", "Model", {}, "float32").build()


def test_published_files_name_their_source() -> None:
    for path in (Path(__file__).parents[3] / "stylekit/foundation/published").glob("*.json"):
        data = json.loads(path.read_text())
        assert data["source"] == f"https://huggingface.co/{data['name']}"
