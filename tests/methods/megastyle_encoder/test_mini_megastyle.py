"""What the foundation holds that is shipped of a trained encoder."""

from __future__ import annotations

from pathlib import Path

import torch

from methods.megastyle_encoder.mini_megastyle import ship
from stylekit.foundation.siglip import Siglip
from stylekit.training import train


def test_image_tower_was_trained_and_the_text_tower_was_not() -> None:
    trained, before = Siglip("mini_megastyle"), Siglip("mini_siglip")
    texts = ["In the style of minimalism", "a cat"]
    torch.testing.assert_close(trained.embed_texts(texts), before.embed_texts(texts))
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert (trained.embed_images(images) - before.embed_images(images)).norm(dim=1).min() > 0.1


def test_shipped_towers_are_those_of_the_run(tiny_siglip: Path, tmp_path: Path) -> None:
    run = train(
        "megastyle_encoder", f"foundation.name_or_path={tiny_siglip}", f"data.cache_dir={tmp_path}",
        f"runs={tmp_path / 'runs'}", "data.source.num_styles=8", "data.source.contents_per_style=2",
        "data.source.num_contents=8", "data.source.held_out_styles=0", "data.source.cache_images=16",
        "data.styles_per_batch=4", "data.val_styles=0", "tracking=local", "trainer.accelerator=cpu",
        "trainer.enable_progress_bar=false", "stages.sscl.max_steps=2", "stages.sscl.warmup_steps=0",
        "stages.sscl.validate_every=0",
    )  # fmt: skip
    ship(run.path, tmp_path / "shipped")
    learned = torch.load(run.final_checkpoint, weights_only=True)["state_dict"]
    vision = Siglip(str(tmp_path / "shipped")).vision.state_dict()
    for name, value in learned.items():
        kept = vision[name.removeprefix("foundation.model.vision_model.")]
        torch.testing.assert_close(kept, value.half().float())
