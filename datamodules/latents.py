"""Latents of the images that batches are made of: encoded once, kept on disk, looked up by row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from datamodules.source import StyleSource
from stylekit.encoding_cache import (
    EncodingKey,
    LatentEncoder,
    StoredEncodings,
    encoder_identity,
    open_encodings,
)
from stylekit.errors import ConfigError
from stylekit.pixels import Pixels, Rejection, crop_to_square

__all__ = ["RowLatents", "encode_images", "encode_rows", "stack"]

_IMAGES_AT_ONCE = 64


class RowLatents:
    """The latents of some rows of a source."""

    def __init__(self, rows: NDArray[np.int64], stored: StoredEncodings) -> None:
        self._rows, self._stored = rows, stored

    def __getitem__(self, rows: NDArray[np.int64]) -> Float[Tensor, "n c u v"]:
        """Return the latents of these rows; NaN for an image that could not be decoded."""
        places = np.searchsorted(self._rows, rows)
        assert np.array_equal(self._rows[places], rows)
        return self._stored[places]


def encode_rows(
    source: StyleSource,
    data_digest: str,
    rows: NDArray[np.int64],
    image_size: int,
    encoder: LatentEncoder,
    cache_dir: Path,
) -> RowLatents:
    """Encode the images of these rows of an open source, whole, or read what was encoded before."""
    rows = np.unique(rows)

    def batches() -> Iterator[Float[Tensor, "n 3 s s"]]:
        for start in range(0, len(rows), _IMAGES_AT_ONCE):
            loaded = source.load(rows[start : start + _IMAGES_AT_ONCE].tolist())
            lost = torch.tensor([isinstance(image, Rejection) for image in loaded])
            blank = np.zeros((image_size, image_size, 3), np.uint8)
            whole = [
                blank if isinstance(image, Rejection) else crop_to_square(image, image_size)
                for image in loaded
            ]
            yield stack(whole).masked_fill_(lost[:, None, None, None], torch.nan)

    content = hashlib.sha256(data_digest.encode() + rows.tobytes()).hexdigest()
    stored = encode_images(batches(), content, len(rows), image_size, encoder, cache_dir)
    return RowLatents(rows, stored)


def encode_images(
    batches: Iterator[Float[Tensor, "n 3 s s"]],
    content: str,
    count: int,
    image_size: int,
    encoder: LatentEncoder,
    cache_dir: Path,
) -> StoredEncodings:
    """Encode images, or read what was encoded before; the latents of an image that is NaN are NaN.

    Args:
        batches: Images in [0, 1], read only where they have to be encoded.
        content: Hash of the images in their order.
        count: How many images there are in all.
        image_size: Their side.
        encoder: Encodes them, on the accelerator if there is one.
        cache_dir: Folder of caches.
    """
    if not isinstance(encoder, nn.Module):
        raise ConfigError(f"data.encoder must be a module of torch, not {type(encoder).__name__}.")
    key = EncodingKey(content, f"whole, {image_size} px", encoder_identity(encoder), "float16")
    encoded = _encode(batches, encoder)
    return open_encodings(cache_dir, key, count, encoded, "Encoding the images")["latents"]


def stack(images: Sequence[Pixels] | NDArray[np.uint8]) -> Float[Tensor, "n 3 s s"]:
    """Put images of one size into one tensor, in [0, 1]."""
    pixels = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2)
    return pixels.to(torch.float32, memory_format=torch.contiguous_format).div_(255.0)


def _encode(batches: Iterator[Tensor], encoder: LatentEncoder) -> Iterator[Mapping[str, Tensor]]:
    assert isinstance(encoder, nn.Module)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    was_training = encoder.training
    encoder.eval().to(device)
    try:
        for images in batches:
            with torch.no_grad():
                latents = encoder.encode(images.nan_to_num(0.0).to(device)).cpu()
            lost = images.flatten(1).isnan().any(1)
            latents[lost] = torch.nan
            yield {"latents": latents}
    finally:
        encoder.train(was_training).to("cpu")
