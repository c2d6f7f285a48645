"""What is minimised beside the content energy: the distance of attention from a style."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["style_energy"]


def style_energy(
    queries: Float[Tensor, "n heads t d"],
    seen: Float[Tensor, "n heads t d"],
    style_keys: Float[Tensor, "n heads s d"],
    style_values: Float[Tensor, "n heads s d"],
    scale: float = 1.0,
) -> Float[Tensor, ""]:
    """Return the attention distillation loss of a layer, mean |Attn(Q, K, V) - Attn(scale Q, K_s, V_s)|.

    The second is what the first is to become, and held fixed, though the queries in it change.
    """
    wanted = F.scaled_dot_product_attention(scale * queries.detach(), style_keys, style_values)
    return (seen.float() - wanted.float()).abs().mean()
