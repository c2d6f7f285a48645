from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylekit.atelier import MINI, draw, sample_scenes, sample_styles
from stylekit.image_files import save_png
from stylekit.run import Run
from stylekit.training import train

STEPS = 4


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Styles that other tests have kept are not found."""
    monkeypatch.setenv("STYLEKIT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three drawings, red, and one below it."""
    folder = tmp_path_factory.mktemp("pictures")
    scenes = sample_scenes(3, seed=5, repertoire=MINI)
    for number, image in enumerate(draw(scenes, sample_styles(3, seed=5), [0, 1, 2], 64)):
        save_png(image, folder / f"drawing {number}.png")
    save_png(torch.tensor([1.0, 0.0, 0.0])[:, None, None].expand(3, 48, 80), folder / "below" / "red.png")
    return folder


@pytest.fixture(scope="session")
def flux_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run of megastyle_flux on mini_flux, whose updates do something."""
    folder = tmp_path_factory.mktemp("flux_run")
    return train(
        "megastyle_flux",
        f"runs={folder}",
        f"data.cache_dir={folder}",
        "data.encoder=null",
        "data.source.num_styles=12",
        "data.source.contents_per_style=3",
        "data.source.num_contents=20",
        "data.source.held_out_styles=4",
        "data.source.cache_images=72",
        "data.styles_per_batch=4",
        "data.val_styles=4",
        "tracking=local",
        "trainer.enable_progress_bar=false",
        "trainer.accelerator=cpu",
        "method.rank=4",
        "method.num_steps=2",
        f"stages.paired.max_steps={STEPS}",
        "stages.paired.warmup_steps=0",
        f"stages.paired.validate_every={STEPS}",
        "stages.paired.num_samples=2",
        "stages.paired.ema_decay=0.5",
        "stages.paired.optimizer.lr=0.02",
    )
