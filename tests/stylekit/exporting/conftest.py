from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylekit.checkpoint import save_learned
from stylekit.config import build, compose, digest
from stylekit.exporting import Export, export
from stylekit.run import Run, RunState, environment

RANK, ALPHA = 3, 2.0


def finish(folder: Path, *overrides: str) -> Run:
    """Leave what a finished run of megastyle_flux leaves, with updates at random instead of learned ones."""
    config = compose("megastyle_flux", [f"method.rank={RANK}", f"method.alpha={ALPHA}", *overrides])
    run = Run(folder)
    method = build(config.values["method"])
    method.start("paired")
    torch.manual_seed(1)
    for name in sorted(method.learned):
        torch.nn.init.normal_(method.get_parameter(name), std=0.05)
    save_learned(method, method.state_dict(), run.final_checkpoint, ["paired"])
    run.config_file.write_text(config.to_yaml())
    run.write(
        RunState(
            name=folder.name,
            experiment=config.name,
            method="megastyle_flux",
            status="finished",
            seed=3,
            config_digest=digest(config),
            data_digest="0f0f",
            stages_done=["paired"],
            environment=environment(),
        )
    )
    return run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run on mini_flux whose settings name folders of this machine."""
    folder = tmp_path_factory.mktemp("export") / "run"
    return finish(folder, f"data.cache_dir={folder}", f"runs={folder}")


@pytest.fixture(scope="session")
def exported(run: Run) -> Export:
    return export(run.path, out=run.path.parent / "exported")
