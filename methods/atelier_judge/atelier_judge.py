"""How the atelier's judge is trained."""

from __future__ import annotations

import math
from typing import ClassVar, final

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from methods.atelier_judge.degradation import degrade
from methods.atelier_judge.truth import Truth, centre_density, read_prompts
from stylekit.atelier import MINI
from stylekit.batch import SceneBatch
from stylekit.bounds import NonNegative, Probability, bounded
from stylekit.errors import ConfigError
from stylekit.foundation.judge import AtelierJudge as JudgeNetwork
from stylekit.foundation.judge import Judgement
from stylekit.method import SceneReader
from stylekit.reading import Reading

__all__ = ["AtelierJudge"]


@final
class AtelierJudge(SceneReader):
    """A judge of atelier images, trained on the truth that every drawing carries.

    The atelier knows which thing covers which pixel, so the network learns maps before it learns to name what
    is in an image: with labels of whole images alone it finds far less in the same time. Training images are
    blurred and disturbed, since the judge is there for generated ones.

    Args:
        foundation: The network.
        cell_weight: Of the cross-entropy of cells: which thing covers each, or none.
        centre_weight: Of the middles of things.
        presence_weight: Of presence, the binary cross-entropy summed over things.
        count_weight: Of the counts of the things that are there.
        style_weight: Of the cross-entropy of each field of style, as a share of that of guessing.
        empty_cell_weight: How much a cell of no thing counts in the cross-entropy of cells.
        degraded_share: How many of the training images are blurred, and how many disturbed.
        max_noise: Greatest standard deviation of the noise.
    """

    stages: ClassVar[tuple[str, ...]] = ("judge",)

    @bounded
    def __init__(
        self,
        foundation: JudgeNetwork,
        cell_weight: NonNegative = 1.0,
        centre_weight: NonNegative = 0.2,
        presence_weight: NonNegative = 0.3,
        count_weight: NonNegative = 0.2,
        style_weight: NonNegative = 0.5,
        empty_cell_weight: NonNegative = 0.4,
        degraded_share: Probability = 0.3,
        max_noise: NonNegative = 0.05,
    ) -> None:
        super().__init__()
        if foundation.things != MINI.things:
            raise ConfigError(
                "The judge knows other things than the mini repertoire: lay it out anew with "
                "python -m methods.atelier_judge.mini_judge FOLDER."
            )
        self.foundation = foundation
        self.cell_weight, self.centre_weight = cell_weight, centre_weight
        self.presence_weight, self.count_weight, self.style_weight = (
            presence_weight,
            count_weight,
            style_weight,
        )
        self.empty_cell_weight = empty_cell_weight
        self.degraded_share, self.max_noise = degraded_share, max_noise

    def enter(self, stage: str) -> None:
        self.foundation.requires_grad_(True)

    def losses(self, batch: SceneBatch) -> dict[str, Tensor]:
        images = batch.images
        if self.training:
            images = degrade(images, self.degraded_share, self.max_noise)
        said = self.foundation.judge(images)
        truth = read_prompts(
            batch.content_prompts, batch.style_prompts, self.foundation.things, self.foundation.words
        )
        return {
            "cells": self.cell_weight * self._cells(said, batch.covering),
            "centres": self.centre_weight * _centres(said, batch.instances),
            **self._things(said, truth),
            **self._styles(said, truth),
        }

    def embed(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        return self.foundation.embed_style(images)

    def read(self, images: Float[Tensor, "n 3 h w"]) -> Reading:
        return self.foundation.read(images)

    def _cells(self, said: Judgement, covering: Tensor) -> Tensor:
        num_things = said.cells.shape[1] - 1
        wanted = torch.where(covering < 0, num_things, covering).long()
        weight = torch.ones(num_things + 1, device=wanted.device)
        weight[-1] = self.empty_cell_weight
        return F.cross_entropy(said.cells, wanted, weight)

    def _things(self, said: Judgement, truth: Truth) -> dict[str, Tensor]:
        counts = truth.counts.to(said.presence.device)
        is_there = counts > 0
        presence = F.binary_cross_entropy_with_logits(said.presence, is_there.float(), reduction="sum")
        count = F.cross_entropy(said.counts[is_there], counts[is_there] - 1)
        return {
            "presence": self.presence_weight * presence / len(counts),
            "counts": self.count_weight * count,
        }

    def _styles(self, said: Judgement, truth: Truth) -> dict[str, Tensor]:
        return {
            field: self.style_weight
            / math.log(logits.shape[-1])
            * F.cross_entropy(logits, truth.style[field].to(logits.device))
            for field, logits in said.style.items()
        }


def _centres(said: Judgement, instances: Tensor) -> Tensor:
    density = centre_density(instances)
    loss = F.binary_cross_entropy_with_logits(said.centres, density, reduction="sum")
    return loss / len(instances)
