"""The way down: latents that take steps of Adam at each step of noise, by what goes on in attention."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.errors import ConfigError

__all__ = ["content_energy", "descend"]


def descend(
    start: Float[Tensor, "n c h w"],
    energy: Callable[[Tensor, int], Tensor],
    places: Iterable[int],
    learning_rate: float,
) -> Float[Tensor, "n c h w"]:
    """Move latents down an energy that is another at each place; no gradient reaches anything else."""
    with torch.enable_grad():
        latents = start.detach().float().clone().requires_grad_(True)
        adam = torch.optim.Adam([latents], lr=learning_rate)
        for place in places:
            (latents.grad,) = torch.autograd.grad(energy(latents, place), [latents])
            adam.step()
    if not bool(torch.isfinite(latents).all()):
        raise ConfigError(
            "The latents are no longer finite: lower the learning rate, or take the foundation in bfloat16 "
            "or float32 (foundation.dtype), since gradients vanish in float16."
        )
    return latents.detach()


def content_energy(
    queries: Float[Tensor, "n heads t d"], content_queries: Float[Tensor, "n heads t d"]
) -> Float[Tensor, ""]:
    """Return mean |Q - Q_c| of a layer: how far it is from asking what it asks in the content image."""
    return (queries.float() - content_queries.float()).abs().mean()
