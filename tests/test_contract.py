"""What every method in configs/method is held to, with no special cases."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from methods.atelier_judge.mini_judge import lay_out
from stylekit.config import compose
from stylekit.testing import check_method

ROOT = Path(__file__).parents[1]
# For each method an experiment that uses it, one that trains it where it can be trained.
EXPERIMENTS = {
    "atelier_judge": "pretrain_atelier_judge",
    "atelier_painter": "atelier_painter",
    "attention_distillation": "attention_distillation",
    "autoencoder": "pretrain_mini_vae",
    "clip": "pretrain_mini_clip",
    "coarse_contrast": "coarse_contrast",
    "colour_histogram": "colour_histogram",
    "efficientnet_early": "efficientnet_early",
    "efficientnet_pooled": "efficientnet_pooled",
    "megastyle_encoder": "megastyle_encoder",
    "megastyle_flux": "megastyle_flux",
    "siglip": "pretrain_mini_siglip",
    "style_id": "style_id",
    "stylegallery": "stylegallery",
    "text_to_image": "pretrain_mini_flux",
}


def test_every_method_is_held_to_the_contract() -> None:
    assert set(EXPERIMENTS) == {path.stem for path in (ROOT / "configs" / "method").glob("*.yaml")}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_folder_config_and_class_carry_the_same_name(name: str) -> None:
    target = yaml.safe_load((ROOT / "configs" / "method" / f"{name}.yaml").read_text())["_target_"]
    assert target.startswith(f"methods.{name}.")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_contract(name: str, tiny_siglip: Path, tiny_clip: Path, tiny_flux: Path, tmp_path: Path) -> None:
    overrides = [
        f"data.cache_dir={tmp_path}",
        "data.source.num_styles=24",
        "data.source.contents_per_style=3",
        "data.source.num_contents=20",
        "data.source.held_out_styles=0",
        "data.source.cache_images=72",
        "data.styles_per_batch=6",
        "data.val_styles=0",
    ]
    config = compose(EXPERIMENTS[name])
    if "data" not in config.values:
        overrides = []
    if config.values.get("foundation", {}).get("_target_") == "stylekit.foundation.siglip.Siglip":
        overrides.append(f"foundation.name_or_path={tiny_siglip}")
    if name == "clip":
        overrides += [f"foundation.name_or_path={tiny_clip}", f"foundation.image_tower={tiny_siglip}"]
    if name == "atelier_judge":
        lay_out(tmp_path / "judge", widths=(4, 8, 8), style_dim=8)
        overrides.append(f"foundation.name_or_path={tmp_path / 'judge'}")
    if name.startswith("efficientnet"):
        pytest.importorskip("efficientnet_lite_pytorch")
    if name == "megastyle_flux":
        overrides += ["data.encoder=null", "method.num_steps=2"]
    if name in ("attention_distillation", "style_id", "stylegallery"):
        overrides.append("method.num_steps=2")
    if name == "text_to_image":
        overrides += [f"foundation.name_or_path={tiny_flux}", "foundation.num_steps=2", "data.encoder=null"]
        overrides += ["method.alignment.layer=single_transformer_blocks.0", "method.alignment.width=32"]
    if "easy" in config.values["stages"]:
        easy = "stages.easy.data"
        overrides += [text.replace("data", easy, 1) for text in overrides if text.startswith("data.")]
    check_method(EXPERIMENTS[name], *overrides)
