"""L_itc, the text term of MegaStyle's objective; L_scl is `stylekit.losses.supervised_contrast`."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from stylekit.losses import sigmoid_contrast

__all__ = ["image_style_contrast"]


def image_style_contrast(
    z: Float[Tensor, "n d"],
    u: Float[Tensor, "m d"],
    style_ids: Int[Tensor, " n"],
    text_ids: Int[Tensor, " m"],
    scale: Float[Tensor, ""],
    bias: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Hold images by the prompt of their style (L_itc of MegaStyle): SigLIP's loss with the style mask.

    An image matches the prompt of its style wherever it stands in the batch; with matches on the diagonal
    alone, images of one style would be pushed away from their own prompt.
    """
    return sigmoid_contrast(z, u, style_ids[:, None] == text_ids, scale, bias)
