"""What one stage of training is set to: how long, with which optimiser, how often saved and validated."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypedDict

from lightning.pytorch import LightningDataModule
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from stylekit.bounds import Count, Positive, ProperFraction, bounded
from stylekit.errors import ConfigError

__all__ = ["Optimization", "Stage"]

Schedule = Literal["constant", "linear", "cosine"]


class Optimization(TypedDict):
    """What Lightning's `configure_optimizers` returns."""

    optimizer: Optimizer
    lr_scheduler: Any


class Stage:
    """Settings of one `Trainer.fit`.

    Args:
        max_steps: Optimiser steps.
        optimizer: Builds the optimiser from parameter groups; in YAML an optimiser with `_partial_: true`.
        schedule: Course of the learning rate after the warm-up.
        warmup_steps: Steps over which the learning rate rises from zero.
        ema_decay: Keep an exponential moving average of the learned parameters, and end with it.
        checkpoint_every: Steps between checkpoints.
        keep_checkpoints: How many checkpoints to keep; the oldest go first.
        validate_every: Steps between validations; 0 for none.
        num_samples: What a renderer paints at each validation, to be looked at.
        data: A data module for this stage alone; by default the experiment's.
    """

    @bounded
    def __init__(
        self,
        max_steps: Positive,
        optimizer: Callable[..., Optimizer],
        schedule: Schedule = "cosine",
        warmup_steps: Count = 0,
        ema_decay: ProperFraction | None = None,
        checkpoint_every: Positive = 250,
        keep_checkpoints: Positive = 2,
        validate_every: Count = 250,
        num_samples: Count = 4,
        data: LightningDataModule | None = None,
    ) -> None:
        if warmup_steps >= max_steps:
            raise ConfigError(f"warmup_steps ({warmup_steps}) must be below max_steps ({max_steps}).")
        self.max_steps = max_steps
        self.optimizer = optimizer
        self.schedule: Schedule = schedule
        self.warmup_steps = warmup_steps
        self.ema_decay = ema_decay
        self.checkpoint_every = checkpoint_every
        self.keep_checkpoints = keep_checkpoints
        self.validate_every = validate_every
        self.num_samples = num_samples
        self.data = data

    def optimize(self, parameters: Iterable[nn.Parameter]) -> Optimization:
        """Build optimiser and schedule. Vectors (biases, norms) get no weight decay."""
        learned = [parameter for parameter in parameters if parameter.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [parameter for parameter in learned if parameter.ndim >= 2]},
            {"params": [parameter for parameter in learned if parameter.ndim < 2], "weight_decay": 0.0},
        ]
        optimizer = self.optimizer([group for group in groups if group["params"]])
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": LambdaLR(optimizer, self.learning_rate_factor), "interval": "step"},
        }

    def learning_rate_factor(self, step: int) -> float:
        """Return the factor on the learning rate at a step."""
        if step < self.warmup_steps:
            return (step + 1) / (self.warmup_steps + 1)
        progress = min(1.0, (step - self.warmup_steps) / max(1, self.max_steps - self.warmup_steps))
        if self.schedule == "cosine":
            return 0.5 * (1.0 + math.cos(math.pi * progress))
        return 1.0 - progress if self.schedule == "linear" else 1.0
