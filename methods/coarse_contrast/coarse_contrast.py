"""An encoder that learns from coarse labels of style."""

from __future__ import annotations

import re
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.batch import StyleBatch
from stylekit.bounds import AboveZero, bounded
from stylekit.errors import ConfigError
from stylekit.foundation.siglip import Siglip
from stylekit.losses import supervised_contrast
from stylekit.method import StyleEncoder

__all__ = ["CoarseContrast", "coarse_labels"]


@final
class CoarseContrast(StyleEncoder):
    """A SigLIP image tower fine-tuned with supervised contrast on coarse labels.

    CSD (arXiv 2404.01292) learns from names of artists and movements, each of which covers many styles. This
    is that idea on the tower, the data and the supervised contrast of MegaStyle-Encoder, with a part of the
    style prompt, by default the overall identity, as the label. CSD's self-supervised term and its second
    head are left out.

    Args:
        foundation: SigLIP towers to start from.
        label_pattern: What of a style prompt is the label: the first group of this regular expression.
        temperature: Of the contrast.
    """

    stages: ClassVar[tuple[str, ...]] = ("contrast",)

    @bounded
    def __init__(
        self,
        foundation: Siglip,
        label_pattern: str = r"In the style of ([^,]+)",
        temperature: AboveZero = 0.07,
    ) -> None:
        super().__init__()
        try:
            self.pattern = re.compile(label_pattern)
        except re.error as error:
            raise ConfigError(f"method.label_pattern is no regular expression: {error}.") from error
        if self.pattern.groups < 1:
            raise ConfigError(f"method.label_pattern must have a group around the label: {label_pattern}")
        self.foundation = foundation
        self.temperature = temperature

    def enter(self, stage: str) -> None:
        self.foundation.model.requires_grad_(False)
        self.foundation.vision.requires_grad_(True)

    def losses(self, batch: StyleBatch) -> dict[str, Tensor]:
        labels = torch.tensor(coarse_labels(batch.style_prompts, self.pattern), device=batch.images.device)
        z = self.foundation.embed_images(batch.images)
        return {"contrast": supervised_contrast(z, labels, self.temperature)}

    def embed(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        return self.foundation.embed_images(images)


def coarse_labels(style_prompts: list[str], pattern: re.Pattern[str]) -> list[int]:
    """Number the labels in prompts; a prompt without one is a label of its own."""
    matches = [pattern.search(prompt) for prompt in style_prompts]
    words = [match[1] if match else prompt for match, prompt in zip(matches, style_prompts, strict=True)]
    numbers = {word: number for number, word in enumerate(dict.fromkeys(words))}
    return [numbers[word] for word in words]
