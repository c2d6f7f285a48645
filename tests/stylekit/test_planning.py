from __future__ import annotations

import pytest

from stylekit.config import compose
from stylekit.errors import ConfigError
from stylekit.planning import check_trainable

ADAMW = "stages.paired.optimizer._target_=torch.optim.AdamW"


@pytest.mark.parametrize(
    "strategy",
    [
        "fsdp_cpu_offload",
        "deepspeed_stage_2",
        "{_target_: lightning.pytorch.strategies.FSDPStrategy}",
        "{_target_: lightning.pytorch.strategies.ModelParallelStrategy}",
    ],
)
def test_muon_is_refused_where_matrices_are_cut_up(strategy: str) -> None:
    with pytest.raises(ConfigError, match=r"stages\.paired\.optimizer\._target_=torch\.optim\.AdamW"):
        check_trainable(compose("megastyle_flux", [f"trainer.strategy={strategy}"]))
    check_trainable(compose("megastyle_flux", [f"trainer.strategy={strategy}", ADAMW]))


def test_muon_trains_where_every_device_has_whole_matrices() -> None:
    ddp = "{_target_: lightning.pytorch.strategies.DDPStrategy, process_group_backend: fsdp}"
    for strategy in ("ddp", "auto", ddp):
        check_trainable(compose("megastyle_flux", [f"trainer.strategy={strategy}"]))
    check_trainable(compose("megastyle_flux"))
