"""The energy that gives each region the style of its match (StyleGallery, stage 3)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Gaze", "MaskMode", "regional_energy", "regional_gaze", "without_style"]

MaskMode = Literal["zero", "softmax"]


class Gaze(NamedTuple):
    """Where tokens look in the references."""

    bias: Float[Tensor, "t k"]
    """Added to logits; a column for each token that is looked at, and two of keys and values of zeros."""
    has_region: Bool[Tensor, " t"]
    """Which tokens have a region to look at."""
    looked_at: Int[Tensor, " o"]
    """Which tokens of the references any looks at."""


def without_style(latents: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
    """Bring every cell to mean 0 and deviation 1 over its channels: where the optimisation begins."""
    return (latents - latents.mean(1, keepdim=True)) / (latents.std(1, keepdim=True) + 1e-8)


def regional_gaze(wanted: Int[Tensor, " t"], offered: Int[Tensor, "s u"], mode: MaskMode) -> Gaze:
    """Let tokens see the region of the references that is meant for them.

    The authors multiply queries, keys and values with masks of 0 and 1 ("zero"): a key outside the region
    keeps the logit 0 and takes its share of attention, for a value of 0. All of these together are one key,
    with the logarithm of their number as its logit; it is laid out as two, of which the first is exact in
    bfloat16. With "softmax" what is outside is not seen at all, and these keys neither.

    Args:
        wanted: For each token the region that it takes its style from; 0 for none.
        offered: The region of each token of each reference; 0 for none.
        mode: "zero" as released, "softmax" for attention within the region alone.
    """
    num_tokens = offered.shape[1]
    inside = (wanted[:, None] == offered.flatten()) & (wanted[:, None] > 0)
    has_region = inside.any(1)
    outside = num_tokens - inside.sum(1)  # of the one reference that the region is in
    unseen = outside.double() if mode == "zero" else torch.zeros_like(outside.double())
    most = (unseen.log() * 8.0).floor() / 8.0
    rest = torch.stack([most, (unseen - most.exp()).clamp_min(0.0).log()], 1).float()
    rest[~has_region] = 0.0  # a row that sees nothing is not a number
    looked_at = torch.nonzero(inside.any(0)).flatten()
    inside = inside[:, looked_at]
    bias = torch.zeros_like(inside, dtype=torch.float).masked_fill(~inside, -torch.inf)
    return Gaze(torch.cat([bias, rest], 1), has_region, looked_at)


def regional_energy(
    queries: Float[Tensor, "1 heads t d"],
    seen: Float[Tensor, "1 heads t d"],
    keys: Float[Tensor, "1 heads st d"],
    values: Float[Tensor, "1 heads st d"],
    gaze: Gaze,
    scale: float,
) -> Float[Tensor, ""]:
    """Return how far what tokens see is from what they would see in their region of the references.

    Gradients pass through what they see, and not through what they should see.
    """
    with torch.no_grad():
        keys, values = (F.pad(one[:, :, gaze.looked_at], (0, 0, 0, 2)) for one in (keys, values))
        should = F.scaled_dot_product_attention(scale * queries, keys, values, attn_mask=gaze.bias)
    gap = (seen.float() - should.float()).abs()
    return (gap * gaze.has_region[:, None]).sum() / gap.numel()
