"""How a style takes the place of the content's own: in attention, and in the noise at the start."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["adapt_statistics", "inject"]


def inject(
    queries: Float[Tensor, "n heads t d"],
    content_queries: Float[Tensor, "n heads t d"],
    style_keys: Float[Tensor, "n heads s d"],
    style_values: Float[Tensor, "n heads s d"],
    gamma: float,
    temperature: float,
) -> Float[Tensor, "n heads t d"]:
    """Attend to a style with queries that are partly the content's (sections 4.1 and 4.2).

    The temperature multiplies: above 1 it sharpens what is flat because queries and keys are of two images.
    """
    mixed = gamma * content_queries + (1.0 - gamma) * queries
    return F.scaled_dot_product_attention(temperature * mixed, style_keys, style_values)


def adapt_statistics(
    content: Float[Tensor, "n c h w"], style: Float[Tensor, "r c u v"]
) -> Float[Tensor, "n c h w"]:
    """Give each channel the style's mean and deviation (section 4.3), averaged over references."""
    places = (2, 3)
    deviation = content.std(places, keepdim=True).clamp_min(1e-8)  # a flat channel stays flat
    flat = (content - content.mean(places, keepdim=True)) / deviation
    mean = style.mean(places, keepdim=True).mean(0, keepdim=True)
    return flat * style.std(places, keepdim=True).mean(0, keepdim=True) + mean
