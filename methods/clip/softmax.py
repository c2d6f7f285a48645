"""The softmax image-text loss of CLIP."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["softmax_contrast"]


def softmax_contrast(
    z: Float[Tensor, "n d"],
    u: Float[Tensor, "m d"],
    match: Bool[Tensor, "n m"],
    scale: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Choose the right text for each image and the right image for each text (CLIP, 2103.00020, figure 3).

    L = (L_z + L_u) / 2, L_z = mean_i -1/|P(i)| sum_{j in P(i)} log softmax_j(s z_i.u), P(i) the texts that
    match image i, and L_u the same with images and texts exchanged. Every row and column has a match. With
    `match` the identity this is the published loss; a mask with more matches lets one text describe several
    images.
    """
    logits = scale * z @ u.T
    return (_cross_entropy(logits, match) + _cross_entropy(logits.T, match.T)) / 2.0


def _cross_entropy(logits: Tensor, match: Tensor) -> Tensor:
    log_p = torch.log_softmax(logits, dim=1)
    return -(log_p.masked_fill(~match, 0.0).sum(dim=1) / match.sum(dim=1)).mean()
