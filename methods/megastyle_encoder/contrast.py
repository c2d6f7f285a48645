"""The style-supervised contrastive objective of MegaStyle, L_sscl = L_scl + L_itc."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from stylekit.losses import sigmoid_contrast

__all__ = ["image_style_contrast", "supervised_contrast"]


def supervised_contrast(
    z: Float[Tensor, "n d"], style_ids: Int[Tensor, " n"], temperature: float = 0.07
) -> Float[Tensor, ""]:
    """Pull images of one style together (L_scl; MegaStyle eq. 14-15 as SupCon, arXiv 2004.11362 eq. 2).

    L_scl = mean_i -1/|P(i)| sum_{p in P(i)} log( exp(z_i.z_p/tau) / sum_{a != i} exp(z_i.z_a/tau) ) over the
    images i that have positives P(i), the other images of the same style; without any, zero.
    """
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    positive = (style_ids[:, None] == style_ids) & ~itself
    logits = (z @ z.T / temperature).masked_fill(itself, float("-inf"))
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    num_positives = positive.sum(dim=1)
    has_positive = num_positives > 0
    log_p = log_p.masked_fill(~positive, 0.0).sum(dim=1)
    per_image = -log_p[has_positive] / num_positives[has_positive]
    return per_image.sum() / has_positive.sum().clamp(min=1)


def image_style_contrast(
    z: Float[Tensor, "n d"],
    u: Float[Tensor, "m d"],
    style_ids: Int[Tensor, " n"],
    text_ids: Int[Tensor, " m"],
    scale: Float[Tensor, ""],
    bias: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Hold images by the prompt of their style (L_itc, MegaStyle eq. 16): SigLIP's loss with the style mask.

    An image matches the prompt of its style wherever it stands in the batch; with matches on the diagonal
    alone, images of one style would be pushed away from their own prompt.
    """
    return sigmoid_contrast(z, u, style_ids[:, None] == text_ids, scale, bias)
