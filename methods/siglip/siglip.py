"""SigLIP as it is, and how it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.batch import StyleBatch
from stylekit.bounds import Probability, bounded
from stylekit.foundation.siglip import Siglip
from stylekit.losses import sigmoid_contrast
from stylekit.method import ImageTextEncoder

__all__ = ["SigLIP"]


@final
class SigLIP(ImageTextEncoder):
    """SigLIP (arXiv 2303.15343), both towers trained with the sigmoid image-text loss.

    It is the foundation of MegaStyle-Encoder and its baseline. The captions are the content prompts; with
    probability `style_caption_probability` the style prompt is appended. So the tower leans towards content,
    as one trained on web captions does, and the text tower still knows the words of style.

    Both stages compute the same loss; a tower that starts from nothing takes easy images first.

    Args:
        foundation: The towers.
        style_caption_probability: How often a caption says the style too.
    """

    stages: ClassVar[tuple[str, ...]] = ("easy", "image_text")

    @bounded
    def __init__(self, foundation: Siglip, style_caption_probability: Probability = 0.1) -> None:
        super().__init__()
        self.foundation = foundation
        self.style_caption_probability = style_caption_probability

    def enter(self, stage: str) -> None:
        self.foundation.model.requires_grad_(True)

    def losses(self, batch: StyleBatch) -> dict[str, Tensor]:
        says_style = (torch.rand(len(batch.images)) < self.style_caption_probability).tolist()
        captions = [
            f"{content} {style}" if with_style else content
            for content, style, with_style in zip(
                batch.content_prompts, batch.style_prompts, says_style, strict=True
            )
        ]
        z = self.foundation.embed_images(batch.images)
        u = self.foundation.embed_texts(captions)
        same_content = batch.content_ids[:, None] == batch.content_ids
        same_style = batch.style_ids[:, None] == batch.style_ids
        bare_text = ~torch.tensor(says_style, device=z.device)
        # A caption matches every image that it describes, not only the one that it was written for.
        match = same_content & (same_style | bare_text)
        return {"image_text": sigmoid_contrast(z, u, match, self.foundation.scale, self.foundation.bias)}

    def embed(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        return self.foundation.embed_images(images)

    def embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        return self.foundation.embed_texts(texts)
