"""The sigmoid image-text loss of SigLIP."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["sigmoid_contrast"]


def sigmoid_contrast(
    z: Float[Tensor, "n d"],
    u: Float[Tensor, "m d"],
    match: Bool[Tensor, "n m"],
    scale: Float[Tensor, ""],
    bias: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Judge every image-text pair by itself (SigLIP, arXiv 2303.15343, algorithm 1).

    L = -1/n sum_ij log sigmoid(y_ij l_ij), l_ij = s z_i.u_j + b, y_ij = +1 where the pair matches, else -1.
    With `match` the identity this is the published loss; a mask with more matches lets one text describe
    several images, so that they are not each other's false negatives.
    """
    logits = scale * z @ u.T + bias
    y = match.to(logits.dtype) * 2.0 - 1.0
    return -F.logsigmoid(y * logits).sum() / len(z)
