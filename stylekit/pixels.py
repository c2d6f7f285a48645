"""From picture files to RGB pixels, or to the reason why not."""

from __future__ import annotations

import io
import struct
import zlib
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["Pixels", "Rejection", "crop_to_square", "decode"]

Pixels: TypeAlias = NDArray[np.uint8]
"""Height, width, RGB."""

MAX_PIXELS = 64_000_000  # below the limit at which Pillow warns
MIN_SIDE = 8

# All that Pillow's decoders are known to raise on damaged files.
_DAMAGED = (
    OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error, IndexError, KeyError, TypeError,
    OverflowError, MemoryError, NotImplementedError,
)  # fmt: skip


class Rejection(NamedTuple):
    """An image or a row that cannot be used, and why."""

    where: str
    reason: str


def decode(data: bytes, where: str) -> Pixels | Rejection:
    """Decode the first frame upright, over white where it is transparent."""
    if not data:
        return Rejection(where, "empty file")
    try:
        with Image.open(io.BytesIO(data)) as image:  # reads the header only
            if image.width * image.height > MAX_PIXELS:
                return Rejection(where, "decompression bomb")
            if min(image.size) < MIN_SIDE:
                return Rejection(where, f"smaller than {MIN_SIDE} pixels")
            image.load()
            return np.array(_to_rgb(_upright(image)), dtype=np.uint8)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Rejection(where, "decompression bomb")
    except UnidentifiedImageError:
        return Rejection(where, "not an image of a known format")
    except _DAMAGED as error:
        truncated = "truncated" in str(error).lower() or isinstance(error, EOFError)
        return Rejection(where, "truncated image" if truncated else "damaged image")


def crop_to_square(
    pixels: Pixels, size: int, area: float = 1.0, x: float = 0.5, y: float = 0.5, flip: bool = False
) -> Pixels:
    """Cut a square out and resize it, antialiased.

    Args:
        pixels: The image.
        size: Side of the square returned.
        area: Share to cut out of the largest square that fits into the image.
        x: Place of the square, from 0 (left) to 1.
        y: Place of the square, from 0 (top) to 1.
        flip: Mirror it left to right.
    """
    height, width = pixels.shape[:2]
    side = min(height, width) * area**0.5
    if not (height == width == size and area == 1.0):
        left, top = (width - side) * x, (height - side) * y
        box = (left, top, min(left + side, width), min(top + side, height))
        image = Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC, box)
        pixels = np.asarray(image)
    return pixels[:, ::-1] if flip else pixels


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except _DAMAGED:  # unreadable metadata of a readable picture
        return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_to_8_bits(np.asarray(image))).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _to_8_bits(values: NDArray[np.generic]) -> Pixels:
    """Bring 16-bit grey, and floats in [0, 1] as scanners write them, to 8 bits."""
    full = 1.0 if values.dtype.kind == "f" and values.max() <= 1.0 else 65535.0
    if values.dtype.kind == "f" and full != 1.0:
        full = 255.0 if values.max() <= 255.0 else 65535.0
    return (np.nan_to_num(values.astype(np.float64)) / full * 255.0).round().clip(0, 255).astype(np.uint8)
