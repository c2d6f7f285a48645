"""The way down: latents that take a step of Adam at each step of noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["descend"]


def descend(
    start: Float[Tensor, "n c h w"],
    energy: Callable[[Tensor, int], Tensor],
    places: Iterable[int],
    lr: float,
) -> Float[Tensor, "n c h w"]:
    """Move latents down an energy that is another at each place; no gradient reaches anything else."""
    with torch.enable_grad():
        latents = start.detach().float().clone().requires_grad_(True)
        adam = torch.optim.Adam([latents], lr=lr)
        for place in places:
            (latents.grad,) = torch.autograd.grad(energy(latents, place), [latents])
            adam.step()
    return latents.detach()
