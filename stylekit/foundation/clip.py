"""CLIP's image and text towers."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from transformers import CLIPModel

from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.foundation import Foundation
from stylekit.foundation.loading import draw_model, explained, forget_paths, load_model, load_tokenizer
from stylekit.foundation.locate import locate
from stylekit.foundation.siglip import Siglip
from stylekit.resizing import resized

__all__ = ["Clip"]

# What pixels are normalised with (openai/CLIP, clip/clip.py).
MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


class Clip(Foundation):
    """Both towers of a CLIP checkpoint (arXiv 2103.00020), in float32.

    Args:
        name_or_path: A shipped foundation (mini_clip), a folder, or a hub name.
        revision: Branch, tag or commit of a hub name.
        random_weights: Take architecture and tokenizer only, and draw the weights from `seed`.
        seed: Used with `random_weights`.
        image_tower: With `random_weights`, a SigLIP whose image tower, of the same widths, is taken as the
            beginning of the own one: a shipped foundation, a folder, or a hub name.
    """

    beginning: ClassVar[frozenset[str]] = frozenset({"random_weights", "seed", "image_tower"})

    def __init__(
        self,
        name_or_path: str,
        revision: str | None = None,
        random_weights: bool = False,
        seed: int = 0,
        image_tower: str | None = None,
    ) -> None:
        super().__init__()
        if image_tower and not random_weights:
            raise ConfigError("foundation.image_tower is where random weights begin: set random_weights too.")
        where = locate(name_or_path)
        with explained(name_or_path, where, "mini_clip"):
            if random_weights:
                self.model = draw_model(CLIPModel, where, revision, seed)
            else:
                self.model = load_model(CLIPModel, where, revision, "CLIP")
            self.tokenizer = load_tokenizer(where, revision)
        if len(self.tokenizer) != self.model.config.text_config.vocab_size:
            # transformers makes a tokenizer of nothing where the files are missing
            raise MissingError(
                f"'{where}' lacks the tokenizer of its text tower, which knows "
                f"{self.model.config.text_config.vocab_size} tokens; what is there knows "
                f"{len(self.tokenizer)}. Download tokenizer.json and tokenizer_config.json too."
            )
        if image_tower:
            _begin_with(self.model.vision_model, Siglip(image_tower).vision)
        self.model.requires_grad_(False)

    @property
    def image_size(self) -> int:
        """Side of the square that the image tower sees."""
        return int(self.model.config.vision_config.image_size)

    @property
    def vision(self) -> nn.Module:
        """The image tower, without its projection."""
        return self.model.vision_model  # type: ignore[no-any-return]

    @property
    def scale(self) -> Tensor:
        """The factor on cosines in the contrast, at most 100 (section 2.4 of the paper)."""
        return self.model.logit_scale.exp().clamp(max=100.0)  # type: ignore[no-any-return]

    def prepare(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 s s"]:
        """Resize the shorter side, cut out the middle and normalise, as CLIP was trained."""
        size = self.image_size
        height, width = images.shape[-2:]
        if min(height, width) != size:
            factor = size / min(height, width)
            sides = (max(size, round(height * factor)), max(size, round(width * factor)))
            images = resized(images, *sides)
        top, left = (images.shape[-2] - size) // 2, (images.shape[-1] - size) // 2
        images = images[..., top : top + size, left : left + size]
        mean, std = (images.new_tensor(values)[:, None, None] for values in (MEAN, STD))
        return (images - mean) / std

    def embed_images(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Map images in [0, 1] to unit vectors of the joint space."""
        pooled = self.vision(pixel_values=self.prepare(images)).pooler_output
        return F.normalize(self.model.visual_projection(pooled), dim=-1)

    def embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Map texts to unit vectors of the joint space; what is longer than the tower reads is cut off."""
        tokens = self.tokenizer(
            list(texts),
            padding=True,  # the mask is causal: what follows the end of a text does not reach it
            max_length=self.model.config.text_config.max_position_embeddings,
            truncation=True,
            return_tensors="pt",
        )
        pooled = self.model.text_model(input_ids=tokens["input_ids"].to(self.model.device)).pooler_output
        return F.normalize(self.model.text_projection(pooled), dim=-1)

    def patch_tokens(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n p d"]:
        """Return the last hidden state of every patch, row by row, without the class token."""
        states: Tensor = self.vision(pixel_values=self.prepare(images)).last_hidden_state
        return states[:, 1:]

    def project_patches(self, tokens: Float[Tensor, "n p c"]) -> Float[Tensor, "n p d"]:
        """Map patch tokens to unit vectors of the joint space, by the way that the class token takes."""
        states = self.model.vision_model.post_layernorm(tokens)
        return F.normalize(self.model.visual_projection(states), dim=-1)

    def save(self, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        """Write a folder that `CLIPModel.from_pretrained` and this class load."""
        deepcopy(self.model).to(dtype).save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        forget_paths(folder)


@torch.no_grad()
def _begin_with(tower: nn.Module, siglip: nn.Module) -> None:
    """Copy a SigLIP image tower: patches, places, layers, the last norm. The class token stays as it is.

    SigLIP sees 2x - 1 where CLIP sees (x - m) / s, and has a bias where CLIP has none: W (2x - 1) + b is
    2 s W (x - m) / s + W (2m - 1) + b, of which the constant part goes to the embeddings of the places.
    """
    weights = siglip.state_dict()
    patch = weights.pop("embeddings.patch_embedding.weight")
    places = weights.pop("embeddings.position_embedding.weight")
    bias = weights.pop("embeddings.patch_embedding.bias")
    mean, std = (patch.new_tensor(values)[:, None, None] for values in (MEAN, STD))
    begun = {name: value for name, value in weights.items() if not name.startswith("head.")}
    begun["embeddings.patch_embedding.weight"] = 2.0 * std * patch
    begun["embeddings.position_embedding.weight"] = (
        places + (patch * (2.0 * mean - 1.0)).sum((1, 2, 3)) + bias
    )
    own = tower.state_dict()
    own["embeddings.position_embedding.weight"] = own["embeddings.position_embedding.weight"][1:]
    other = [name for name, value in begun.items() if name not in own or own[name].shape != value.shape]
    if other:
        raise ConfigError(
            f"foundation.image_tower has other layers or widths than the image tower: {', '.join(other[:5])}."
        )
    for name, value in begun.items():
        own[name].copy_(value)
