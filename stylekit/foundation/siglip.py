"""SigLIP's image and text towers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import SiglipModel, SiglipVisionModel

from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.loading import draw_model, explained, forget_paths, load_model, load_tokenizer
from stylekit.foundation.locate import locate
from stylekit.foundation.patch_tower import PatchTower
from stylekit.resizing import resized

__all__ = ["Siglip", "load_vision_weights", "read_weights"]

# Checkpoints saved before transformers 5.6 carry this inner level, later ones do not
# (huggingface/transformers#44431).
OLD_LEVEL = "vision_model."
RUN_PREFIX = "foundation.model.vision_model."


class Siglip(PatchTower):
    """Both towers of a SigLIP checkpoint (arXiv 2303.15343), in float32.

    Args:
        name_or_path: A shipped foundation (mini_siglip), a folder, or a hub name.
        revision: Branch, tag or commit of a hub name.
        random_weights: Take architecture and tokenizer only, and draw the weights from `seed`.
        seed: Used with `random_weights`.
    """

    beginning: ClassVar[frozenset[str]] = frozenset({"random_weights", "seed"})

    def __init__(
        self,
        name_or_path: str,
        revision: str | None = None,
        random_weights: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        where = locate(name_or_path)
        with explained(name_or_path, where, "mini_siglip"):
            if random_weights:
                self.model = _untrained(where, revision, seed)
            else:
                self.model = load_model(SiglipModel, where, revision, "SigLIP")
            self.tokenizer = load_tokenizer(where, revision, "siglip")
        self.model.requires_grad_(False)

    @property
    def image_size(self) -> int:
        """Side of the square that the image tower sees."""
        return int(self.model.config.vision_config.image_size)

    @property
    def vision(self) -> nn.Module:
        """The image tower."""
        return self.model.vision_model  # type: ignore[no-any-return]

    @property
    def scale(self) -> Tensor:
        """The factor on cosines in the sigmoid loss, s = exp(logit_scale)."""
        scale: Tensor = self.model.logit_scale
        return scale.exp().squeeze()

    @property
    def bias(self) -> Tensor:
        """The offset in the sigmoid loss."""
        bias: Tensor = self.model.logit_bias
        return bias.squeeze()

    def embed_images(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Map images in [0, 1] to unit vectors. Aspect is ignored, as SigLIP does."""
        return F.normalize(self.vision(pixel_values=self.prepare(images)).pooler_output, dim=-1)

    def prepare(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n 3 s s"]:
        """Resize without regard to the aspect and bring to [-1, 1], as SigLIP was trained."""
        return resized(images, self.image_size, self.image_size) * 2.0 - 1.0

    def patch_tokens(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n p d"]:
        """Return the last hidden state of every patch, row by row."""
        states: Tensor = self.vision(pixel_values=self.prepare(images)).last_hidden_state
        return states

    def embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Map texts to unit vectors, padded to full length as SigLIP was trained (transformers#28578)."""
        tokens = self.tokenizer(
            list(texts),
            padding="max_length",
            max_length=self.model.config.text_config.max_position_embeddings,
            truncation=True,
            return_tensors="pt",
        )
        pooled = self.model.text_model(input_ids=tokens["input_ids"].to(self.model.device)).pooler_output
        return F.normalize(pooled, dim=-1)

    def save(self, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        """Write a folder that `SiglipModel.from_pretrained` and this class load."""
        self.model.to(dtype).save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        forget_paths(folder)
        self.model.float()

    def save_vision(self, folder: Path) -> None:
        """Write the image tower alone, as a plain `SiglipVisionModel`."""
        tower = SiglipVisionModel(self.model.config.vision_config)
        load_vision_weights(tower, self.vision.state_dict())
        tower.save_pretrained(folder)


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read a .safetensors or a pickled state dict, the latter with tensors only."""
    if not path.is_file():
        raise MissingError(f"There is no weights file {path}.")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
        return dict(state.get("state_dict", state))
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, AttributeError) as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise MissingError(
            f"{path} holds no weights that can be read ({first}). Give a .safetensors file or a state dict "
            "saved by torch."
        ) from error


def load_vision_weights(tower: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load an image tower whose keys have or lack the old inner level, every key accounted for."""
    expected = set(tower.state_dict())
    # A run's own checkpoint names them by their place in the method.
    bare = {name.removeprefix(RUN_PREFIX).removeprefix(OLD_LEVEL): value for name, value in weights.items()}
    inner = any(name.startswith(OLD_LEVEL) for name in expected)
    renamed = {f"{OLD_LEVEL}{name}" if inner else name: value for name, value in bare.items()}
    # Old releases stored this counter as a weight; it holds 0..n-1 and the model makes its own.
    renamed.pop(f"{OLD_LEVEL if inner else ''}embeddings.position_ids", None)
    missing, unexpected = sorted(expected - set(renamed)), sorted(set(renamed) - expected)
    own = tower.state_dict()
    other = [
        f"{name} {tuple(value.shape)} instead of {tuple(own[name].shape)}"
        for name, value in sorted(renamed.items())
        if name in own and value.shape != own[name].shape
    ]
    if missing or unexpected or other:
        raise ConfigError(
            "The weights are not those of this SigLIP image tower.\n"
            f"  missing ({len(missing)}): {', '.join(missing[:5])}\n"
            f"  unexpected ({len(unexpected)}): {', '.join(unexpected[:5])}\n"
            f"  of another shape ({len(other)}): {', '.join(other[:5])}\n"
            "Choose the foundation that they were trained on."
        )
    tower.load_state_dict(renamed, strict=True)


def _untrained(where: str, revision: str | None, seed: int) -> SiglipModel:
    model = draw_model(SiglipModel, where, revision, seed)
    # SigLIP, section 3.2: t' = log 10 and b = -10, against the many negatives at the start.
    nn.init.constant_(model.logit_scale, math.log(10.0))
    nn.init.constant_(model.logit_bias, -10.0)
    return model
