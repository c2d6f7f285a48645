"""Two processes under Lightning's own DDP learn what one does: sampler, gathering and step together."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]


def test_two_processes_learn_what_one_does(tiny_siglip: Path, tmp_path: Path) -> None:
    settings = [
        f"foundation.name_or_path={tiny_siglip}", f"data.cache_dir={tmp_path}",
        "data.source.num_styles=24", "data.source.contents_per_style=3", "data.source.num_contents=20",
        "data.source.held_out_styles=0", "data.source.cache_images=72", "data.styles_per_batch=6",
        "data.val_styles=0", "tracking=local", "trainer.accelerator=cpu", "trainer.log_every_n_steps=1",
        "trainer.enable_progress_bar=false", "stages.sscl.max_steps=3", "stages.sscl.warmup_steps=0",
        "stages.sscl.validate_every=0",
        # Plain steps along the gradient: Adam would turn rounding errors of small gradients into large steps.
        "stages.sscl.optimizer={_target_: torch.optim.SGD, _partial_: true, lr: 0.5}",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    learned = []
    for devices in (1, 2):
        runs = tmp_path / f"runs{devices}"
        strategy = ["trainer.strategy=ddp"] if devices == 2 else []
        command = [sys.executable, "-m", "stylekit", "train", "megastyle_encoder", *settings]
        command += [f"trainer.devices={devices}", *strategy, f"runs={runs}"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        (path,) = runs.glob("megastyle_encoder/latest/checkpoints/final.ckpt")
        learned.append(torch.load(path, weights_only=True)["state_dict"])
    one, two = learned
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-5, atol=1e-5, msg=name)
