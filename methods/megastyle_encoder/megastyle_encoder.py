"""MegaStyle-Encoder."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from methods.megastyle_encoder.contrast import image_style_contrast
from methods.megastyle_encoder.gathering import gather
from stylekit.batch import StyleBatch
from stylekit.bounds import AboveZero, NonNegative, Positive, bounded
from stylekit.chunking import in_chunks
from stylekit.foundation.siglip import Siglip, load_vision_weights, read_weights
from stylekit.losses import supervised_contrast
from stylekit.method import StyleEncoder

__all__ = ["MegaStyleEncoder"]


@final
class MegaStyleEncoder(StyleEncoder):
    """MegaStyle-Encoder (arXiv 2604.08364): a SigLIP image tower fine-tuned with L_scl + L_itc.

    Images of one style prompt attract each other whatever they show, and every image is held by the text of
    its style under the frozen text tower. Only the image tower learns; there is no projection head.

    Deviations: the published equations of L_itc were not at hand; it is SigLIP's own loss with the style
    prompt as text, the scale and bias of the foundation frozen, and matches by style (see the card).

    Args:
        foundation: SigLIP towers to start from.
        temperature: tau of L_scl.
        scl_weight: Factor on L_scl; the paper reports none.
        itc_weight: Factor on L_itc; the paper reports none.
        weights: A trained image tower to start from, e.g. the authors' release; old key names are known.
        chunk: Images (and prompts) that go through a tower at once. The paper's batch of 8,192 then needs
            the memory of one chunk, with the same gradients; null for the whole batch.
    """

    stages: ClassVar[tuple[str, ...]] = ("sscl",)

    @bounded
    def __init__(
        self,
        foundation: Siglip,
        temperature: AboveZero = 0.07,
        scl_weight: NonNegative = 1.0,
        itc_weight: NonNegative = 1.0,
        weights: str | None = None,
        chunk: Positive | None = None,
    ) -> None:
        super().__init__()
        self.foundation = foundation
        self.temperature = temperature
        self.scl_weight = scl_weight
        self.itc_weight = itc_weight
        self.chunk = chunk
        if weights is not None:
            load_vision_weights(foundation.vision, read_weights(Path(weights).expanduser()))

    def enter(self, stage: str) -> None:
        self.foundation.model.requires_grad_(False)
        self.foundation.vision.requires_grad_(True)

    def losses(self, batch: StyleBatch) -> dict[str, Tensor]:
        z = in_chunks(self.foundation.embed_images, batch.images, self.chunk)
        style_ids = batch.style_ids
        numbers = {prompt: number for number, prompt in enumerate(dict.fromkeys(batch.style_prompts))}
        with torch.no_grad():
            texts, size = list(numbers), self.chunk or len(numbers)
            parts = [texts[start : start + size] for start in range(0, len(texts), size)]
            u = torch.cat([self.foundation.embed_texts(part) for part in parts])
        u = u[[numbers[prompt] for prompt in batch.style_prompts]]  # a row for each image
        if self.training:  # in validation, processes may hold unequal numbers of images
            z, u, style_ids = gather(z), gather(u), gather(style_ids)
        rows = {style: row for row, style in enumerate(style_ids.tolist())}  # one for each style
        text_ids = torch.tensor(list(rows), device=z.device)
        scl = supervised_contrast(z, style_ids, self.temperature)
        scale, bias = self.foundation.scale, self.foundation.bias
        itc = image_style_contrast(z, u[list(rows.values())], style_ids, text_ids, scale, bias)
        return {"scl": self.scl_weight * scl, "itc": self.itc_weight * itc}

    def embed(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        return self.foundation.embed_images(images)
