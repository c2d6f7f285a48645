"""The contract of a style method: what a plug-in implements and the framework calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, Literal, TypeVar, final

import torch
from jaxtyping import Float
from lightning.pytorch import LightningModule
from torch import Tensor

__all__ = ["Need", "StyleEncoder", "StyleMethod", "StyleRenderer"]

StyleT = TypeVar("StyleT")
Need = Literal["prompt", "content", "video"]


class StyleMethod(LightningModule, ABC):
    """A method that learns in named stages, or in none.

    A subclass holds modules and mathematics only. Logging, optimisers, schedules, devices and files belong
    to the framework.
    """

    stages: ClassVar[tuple[str, ...]] = ()
    """The stages in order, one `Trainer.fit` each; empty for a training-free method."""

    def __init__(self) -> None:
        super().__init__()
        self._learned: set[str] = set()
        self._optimization: Any = None

    def enter(self, stage: str) -> None:
        """Choose what the stage learns: freeze, unfreeze, attach adapters. Called before each fit."""
        raise NotImplementedError(f"{type(self).__name__} has no stages to enter")

    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Return the loss terms, already weighted, under the names to log. Their sum is minimised."""
        raise NotImplementedError(f"{type(self).__name__} has no stages and so no losses")
