import functools
import math

import pytest
import torch

from stylekit.errors import ConfigError
from stylekit.stage import Stage

ADAMW = functools.partial(torch.optim.AdamW, lr=0.1, weight_decay=0.3)


def test_vectors_get_no_weight_decay_and_frozen_parameters_no_optimiser() -> None:
    linear, frozen = torch.nn.Linear(3, 2), torch.nn.Linear(2, 2).requires_grad_(False)
    optimizer = Stage(10, ADAMW).optimize([*linear.parameters(), *frozen.parameters()])["optimizer"]
    decayed, plain = optimizer.param_groups
    assert decayed["params"] == [linear.weight]
    assert decayed["weight_decay"] == 0.3
    assert plain["params"] == [linear.bias]
    assert plain["weight_decay"] == 0.0


def test_cosine_rises_over_the_warm_up_and_falls_to_zero() -> None:
    factor = Stage(110, ADAMW, schedule="cosine", warmup_steps=10).learning_rate_factor
    assert [factor(step) for step in (0, 4, 9)] == pytest.approx([1 / 11, 5 / 11, 10 / 11])
    assert factor(10) == 1.0
    assert factor(35) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
    assert factor(60) == pytest.approx(0.5)
    assert factor(110) == pytest.approx(0.0)


@pytest.mark.parametrize(("schedule", "expected"), [("linear", 0.25), ("constant", 1.0)])
def test_other_schedules(schedule: str, expected: float) -> None:
    assert Stage(8, ADAMW, schedule=schedule).learning_rate_factor(6) == pytest.approx(expected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_steps": 0},
        {"max_steps": 5, "warmup_steps": 5},
        {"max_steps": 5, "warmup_steps": -1},
        {"max_steps": 5, "ema_decay": 1.0},
        {"max_steps": 5, "checkpoint_every": 0},
        {"max_steps": 5, "keep_checkpoints": 0},
        {"max_steps": 5, "validate_every": -1},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Stage(optimizer=ADAMW, **wrong)
