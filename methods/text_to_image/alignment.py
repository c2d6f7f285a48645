"""Hold what a denoiser sees halfway against what a trained image tower sees (REPA, arXiv 2410.06940)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stylekit.bounds import AboveZero, Positive, bounded
from stylekit.errors import ConfigError
from stylekit.foundation.clip import Clip
from stylekit.foundation.siglip import Siglip

__all__ = ["Alignment", "misalignment"]


class Alignment(nn.Module):
    """Pull the hidden tokens of one layer, through a projection that learns, to those of a frozen teacher.

    A denoiser has to find out what there is to be seen in what it denoises; a tower that was trained on
    images with texts knows. The projection is of use in training only.

    Deviations: any tower may teach; what its patches have in common is left out; its grid is brought to
    the layer's; the projection is one layer shorter than the paper's.

    Args:
        teacher: The tower, whose patches are compared where they lie.
        layer: Which module of the denoiser is looked at, by its name.
        width: Its channels.
        weight: Of the loss.
    """

    @bounded
    def __init__(self, teacher: Siglip | Clip, layer: str, width: Positive, weight: AboveZero = 0.5) -> None:
        super().__init__()
        self.teacher, self.layer, self.width, self.weight = teacher, layer, width, weight
        seen = int(teacher.model.config.vision_config.hidden_size)
        self.projection = nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, seen))

    @contextmanager
    def watch(self, denoiser: nn.Module) -> Iterator[list[Tensor]]:
        """Keep what the layer gives in the list, one tensor for each call of the denoiser."""
        kept: list[Tensor] = []

        def keep(module: nn.Module, inputs: object, output: Tensor | tuple[Tensor, ...]) -> None:
            # FLUX's blocks give text and image tokens, in this order
            kept.append(output if isinstance(output, Tensor) else output[-1])

        hook = self._find(denoiser).register_forward_hook(keep)
        try:
            yield kept
        finally:
            hook.remove()

    def loss(self, hidden: Tensor, images: Float[Tensor, "n 3 h w"]) -> Tensor:
        """Compare hidden tokens (n, t, c), or a map (n, c, u, v), with the patches of the clean images."""
        grid = _as_grid(hidden)
        if grid.shape[-1] != self.width:
            raise ConfigError(f"{self.layer} has {grid.shape[-1]} channels: set alignment.width to that.")
        with torch.no_grad():
            seen = _as_grid(self.teacher.patch_tokens(images))
        return self.weight * misalignment(self.projection(grid), seen)

    def _find(self, denoiser: nn.Module) -> nn.Module:
        try:
            return denoiser.get_submodule(self.layer)
        except AttributeError:
            names = [name for name, _ in denoiser.named_modules()]
            known = [name for name in names if name.count(".") == 1 and name.partition(".")[2].isdigit()]
            raise ConfigError(
                f"The denoiser has no module {self.layer!r}: set alignment.layer to one of its modules, "
                f"such as {', '.join(known[:8])}."
            ) from None


def misalignment(projected: Float[Tensor, "n h w d"], seen: Float[Tensor, "n h2 w2 d"]) -> Float[Tensor, ""]:
    """Return the mean over places of 1 - cosine, what all that is seen has in common left out.

    Where the grids differ, what is seen is brought to the other's.
    """
    seen = (seen.float() - seen.float().mean((0, 1, 2))).permute(0, 3, 1, 2)
    if seen.shape[-2:] != projected.shape[1:3]:
        seen = F.interpolate(seen, projected.shape[1:3], mode="bilinear", antialias=True)
    return 1.0 - F.cosine_similarity(projected.float(), seen.permute(0, 2, 3, 1), dim=-1).mean()


def _as_grid(hidden: Tensor) -> Float[Tensor, "n h w c"]:
    if hidden.ndim == 4:
        return hidden.permute(0, 2, 3, 1)
    side = math.isqrt(hidden.shape[1])
    if side * side != hidden.shape[1]:
        raise ConfigError(f"{hidden.shape[1]} tokens are no square of places: align another layer.")
    return hidden.reshape(len(hidden), side, side, -1)
