"""Two runs of two seconds each, measured; made once."""

from pathlib import Path

import pytest

from stylekit.evaluation import evaluate
from stylekit.training import train


@pytest.fixture(scope="session")
def runs(tiny_siglip, tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("reported")
    settings = [
        f"foundation.name_or_path={tiny_siglip}", f"data.cache_dir={folder}", f"runs={folder / 'runs'}",
        "data.source.num_styles=12", "data.source.contents_per_style=3", "data.source.num_contents=10",
        "data.source.held_out_styles=6", "data.source.cache_images=100",
        "data.styles_per_batch=4", "data.val_styles=4", "tracking=local",
        "trainer.enable_progress_bar=false", "trainer.accelerator=cpu", "trainer.log_every_n_steps=1",
        "stages.sscl.max_steps=4", "stages.sscl.warmup_steps=0", "stages.sscl.validate_every=2",
        "benchmark.num_styles=4", "benchmark.num_contents=4", "benchmark.num_groups=2",
        "benchmark.group_size=3", "benchmark.num_group_contents=4", "benchmark.baselines=[colour_histogram]",
    ]  # fmt: skip
    found = []
    for extra in (["seed=0"], ["seed=1", "method.temperature=0.2"]):
        run = train("megastyle_encoder", *settings, *extra)
        evaluate(run.path)
        found.append(run.path)
    return found
