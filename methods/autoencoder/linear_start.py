"""Let the encoder of an AutoencoderKL begin as the best linear map of patches: their principal components.

A patch of `factor` x `factor` pixels becomes its first principal components. No other linear code of that
length keeps more of the image; it is orthonormal but for one factor, so that an error of a latent is as large
in the pixels whichever latent it is; and it is known before anything is trained.

The classes of diffusers hold linear maps exactly enough: residual branches are zero, a channel and its
negative come through SiLU unbent, silu(x) - silu(-x) = x, and a pair of large constants in each group keeps
the statistics of the group norm all but constant.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["begin_as_components", "principal_components"]

_CONSTANT = 256.0  # against signals of a few units: the norm's scale is true to one part in 10,000
_LOG_VARIANCE = -12.0


def principal_components(
    images: Float[Tensor, "n 3 h w"], num_components: int, size: int = 4
) -> tuple[Float[Tensor, "c 3 s s"], Float[Tensor, " c"]]:
    """Return filters and offsets: of patches of images in [-1, 1], to components of overall unit variance."""
    patches = F.unfold(images.double(), size, stride=size).transpose(1, 2).flatten(0, 1)
    mean = patches.mean(0)
    centred = patches - mean
    directions = torch.linalg.eigh(centred.T @ centred).eigenvectors.flip(1)[:, :num_components]
    directions = directions * torch.where(directions.sum(0) < 0, -1.0, 1.0)  # whatever sign LAPACK chose
    scale = (centred @ directions).std()
    filters = (directions.T / scale).reshape(num_components, 3, size, size)
    return filters.float(), (-(mean @ directions) / scale).float()


@torch.no_grad()
def begin_as_components(
    model: AutoencoderKL, filters: Float[Tensor, "c 3 4 4"], offsets: Float[Tensor, " c"]
) -> None:
    """Set an encoder of two downsamplings to `conv(images, filters, stride=4) + offsets`."""
    encoder = model.encoder
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
    for channel in range(3):
        encoder.conv_in.weight[channel, channel, 1, 1] = 1.0
    first, second, last = encoder.down_blocks
    for block in (first, second, last):
        for resnet in block.resnets:
            if resnet.conv_shortcut is not None:
                _pass_on(resnet.conv_shortcut)
    # 2 x 2 pixels of 3 channels become 12 channels, 2 x 2 of those the components.
    for row in range(2):
        for column in range(2):
            for colour in range(3):
                channel = (row * 2 + column) * 3 + colour
                first.downsamplers[0].conv.weight[channel, colour, row, column] = 1.0
                for outer_row in range(2):
                    for outer_column in range(2):
                        taps = filters[:, colour, outer_row * 2 + row, outer_column * 2 + column]
                        weight = second.downsamplers[0].conv.weight
                        weight[: len(filters), channel, outer_row, outer_column] = taps
    second.downsamplers[0].conv.bias[: len(offsets)] = offsets
    _through_norm(encoder, last, len(filters))


def _pass_on(conv: nn.Conv2d) -> None:
    for channel in range(min(conv.in_channels, conv.out_channels)):
        conv.weight[channel, channel, 0, 0] = 1.0


def _through_norm(encoder: Any, last: Any, num_components: int) -> None:
    """Carry components through norm and SiLU undistorted: each, its negative and two constants together."""
    widen = last.resnets[0].conv_shortcut
    assert widen is not None, "the last level must be wider than the one before it"
    norm = encoder.conv_norm_out
    per_group = widen.out_channels // norm.num_groups
    per_component = 4
    assert per_group % per_component == 0
    assert widen.out_channels >= per_component * num_components
    nn.init.zeros_(widen.weight)
    for index in range(num_components):
        at = index * per_component
        widen.weight[at, index, 0, 0], widen.weight[at + 1, index, 0, 0] = 1.0, -1.0
        widen.bias[at + 2], widen.bias[at + 3] = _CONSTANT, -_CONSTANT
        encoder.conv_out.weight[index, at, 1, 1], encoder.conv_out.weight[index, at + 1, 1, 1] = 1.0, -1.0
    norm.weight.fill_(_CONSTANT / math.sqrt(2.0))  # the deviation in a group; its mean is zero
    norm.bias.zero_()
    encoder.conv_out.bias[num_components:] = _LOG_VARIANCE
