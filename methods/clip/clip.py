"""CLIP as it is, and how it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from methods.clip.softmax import softmax_contrast
from stylekit.batch import StyleBatch
from stylekit.bounds import Probability, bounded
from stylekit.foundation.clip import Clip
from stylekit.method import ImageTextEncoder

__all__ = ["CLIP"]


@final
class CLIP(ImageTextEncoder):
    """CLIP (arXiv 2103.00020), both towers trained with the softmax image-text loss.

    The captions are the content prompts; with probability `style_caption_probability` the style prompt is
    appended, as a generator's prompts have it, so the text tower knows the words of style as well.

    Deviation: a caption matches every image of the batch that it describes, not only the one that it was
    written for.

    Args:
        foundation: The towers.
        style_caption_probability: How often a caption says the style too.
    """

    stages: ClassVar[tuple[str, ...]] = ("image_text",)

    @bounded
    def __init__(self, foundation: Clip, style_caption_probability: Probability = 0.5) -> None:
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
        match = same_content & (same_style | ~torch.tensor(says_style, device=z.device))
        return {"image_text": softmax_contrast(z, u, match, self.foundation.scale)}

    def embed(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        return self.foundation.embed_images(images)

    def embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        return self.foundation.embed_texts(texts)
