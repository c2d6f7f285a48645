"""How near an image comes to another one."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torchmetrics.functional.image import peak_signal_noise_ratio

__all__ = ["psnr"]


def psnr(images: Float[Tensor, "n c h w"], originals: Float[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
    """Return the peak signal-to-noise ratio of each image in [0, 1], in dB; infinite where both are equal.

    The mean over images of this is below the ratio of the mean error, which some papers report.
    """
    ratio = peak_signal_noise_ratio(
        images.double(), originals.double(), data_range=1.0, reduction="none", dim=(1, 2, 3)
    )
    assert isinstance(ratio, Tensor)
    return ratio
