"""What every test shares: shape checks switched on, no hub, tiny real models."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")

from jaxtyping import install_import_hook

install_import_hook(
    [
        "stylekit.batch", "stylekit.foundation", "stylekit.losses", "stylekit.metrics", "stylekit.atelier",
        "methods",
    ],
    "beartype.beartype",
)  # fmt: skip

import pytest  # noqa: E402
import torch  # noqa: E402

if TYPE_CHECKING:
    from stylekit.foundation.flux import Flux


@pytest.fixture(scope="session")
def tiny_siglip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real SigLIP of random weights at hidden size 32."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast, SiglipConfig, SiglipModel

    folder = tmp_path_factory.mktemp("tiny_siglip")
    torch.manual_seed(0)
    text = {
        "vocab_size": 64, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1,
        "num_attention_heads": 4, "max_position_embeddings": 16, "projection_size": 32,
        "bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 1,
    }  # fmt: skip
    vision = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
        "image_size": 32, "patch_size": 8,
    }  # fmt: skip
    SiglipModel(SiglipConfig(text_config=text, vision_config=vision)).save_pretrained(folder)
    words = ["<unk>", "<pad>", *(f"word{index}" for index in range(62))]
    tokenizer = Tokenizer(
        models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>").save_pretrained(
        folder
    )
    return folder


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a real CLIP of random weights at hidden size 32."""
    from transformers import CLIPConfig, CLIPModel

    from stylekit.atelier.tokenizer import clip_tokenizer

    folder = tmp_path_factory.mktemp("tiny_clip")
    torch.manual_seed(0)
    tokenizer = clip_tokenizer(32)
    tokenizer.save_pretrained(folder)
    common = {
        "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4,
        "projection_dim": 16,
    }  # fmt: skip
    text = {
        **common, "vocab_size": len(tokenizer), "max_position_embeddings": 32,
        "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
    }  # fmt: skip
    vision = {**common, "image_size": 32, "patch_size": 8}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_flux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of mini_flux with two narrow blocks, and no weights but the autoencoder's."""
    from stylekit.foundation.locate import SHIPPED

    folder = tmp_path_factory.mktemp("tiny_flux")
    without = shutil.ignore_patterns("model.safetensors", "diffusion_pytorch_model.safetensors")
    shutil.copytree(SHIPPED / "mini_flux", folder, ignore=without, dirs_exist_ok=True)
    shutil.copytree(SHIPPED / "mini_vae", folder / "vae", dirs_exist_ok=True)
    path = folder / "transformer" / "config.json"
    config = json.loads(path.read_text())
    narrow = {"num_layers": 1, "num_single_layers": 1, "num_attention_heads": 1}
    path.write_text(json.dumps(config | narrow))
    return folder


@pytest.fixture
def random_flux() -> Flux:
    """mini_flux whose weights are all at random: as it begins it would answer with nothing."""
    from stylekit.foundation.flux import Flux

    flux = Flux("mini_flux", random_weights=True)
    torch.manual_seed(1)
    for parameter in flux.denoiser.parameters():
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.05)
    return flux
