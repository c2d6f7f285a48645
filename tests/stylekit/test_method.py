from typing import Any, ClassVar

import pytest
import torch
from torch import Tensor, nn

from stylekit.errors import ConfigError
from stylekit.method import StyleMethod


class TwoStages(StyleMethod):
    stages: ClassVar[tuple[str, ...]] = ("first", "second")

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(2, 2)
        self.body = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.head = nn.Linear(2, 2)

    def enter(self, stage: str) -> None:
        self.requires_grad_(False)
        (self.body if stage == "first" else self.head).requires_grad_(True)

    def losses(self, batch: Any) -> dict[str, Tensor]:
        return {"one": torch.tensor(1.0)}


class TrainingFree(StyleMethod):
    pass


BODY = {
    "body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias",
    "body.1.running_mean", "body.1.running_var", "body.1.num_batches_tracked",
}  # fmt: skip
HEAD = {"head.weight", "head.bias"}


def test_learned_names_of_earlier_stages_are_kept_with_their_buffers() -> None:
    method = TwoStages()
    method.start("first")
    assert method.learned == BODY
    method.start("second")
    assert method.learned == BODY | HEAD


def test_checkpoint_holds_what_was_learned_and_nothing_frozen() -> None:
    method = TwoStages()
    method.start("first")
    checkpoint = {"state_dict": method.state_dict()}
    method.on_save_checkpoint(checkpoint)
    assert set(checkpoint["state_dict"]) == BODY


def test_missing_and_unexpected_keys_are_refused_by_name() -> None:
    method = TwoStages()
    method.start("second")
    with pytest.raises(ConfigError, match=r"missing: head\.bias\n  unexpected: heat\.bias"):
        method.on_load_checkpoint({"state_dict": {"head.weight": 0, "heat.bias": 0}})


def test_unknown_stage_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="first, second"):
        TwoStages().start("third")
    with pytest.raises(ConfigError, match="none"):
        TrainingFree().start("first")
