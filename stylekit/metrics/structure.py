"""How much of the layout of an image is left in another."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["structure"]


def structure(tokens: Float[Tensor, "n p d"], others: Float[Tensor, "n p d"]) -> Float[Tensor, " n"]:
    """Return 1 - the mean absolute difference of the tokens' self-similarities, which are cosines.

    What is like what within an image stays so when its colours and textures change. After the structure
    distance of Splice (arXiv 2201.00424), there of the keys of DINO and with the Frobenius norm.
    """
    own, theirs = (x @ x.transpose(1, 2) for x in (F.normalize(tokens, dim=-1), F.normalize(others, dim=-1)))
    return 1.0 - (own - theirs).abs().mean((1, 2))
