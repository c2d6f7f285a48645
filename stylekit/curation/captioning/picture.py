"""Images as captioners look at them."""

from __future__ import annotations

import base64
import io

from PIL import Image

from stylekit.curation.failure import Failure
from stylekit.pixels import Rejection, decode

__all__ = ["BROKEN", "data_url", "open_picture"]

BROKEN = "broken image"


def open_picture(data: bytes, longest_side: int) -> Image.Image | Failure:
    """Decode a file to RGB, no side longer than that."""
    pixels = decode(data, "image")
    if isinstance(pixels, Rejection):
        return Failure(BROKEN, pixels.reason)
    picture = Image.fromarray(pixels)
    picture.thumbnail((longest_side, longest_side), Image.Resampling.LANCZOS)
    return picture


def data_url(picture: Image.Image) -> str:
    """Pack a picture into an address, as JPEG that keeps its texture."""
    packed = io.BytesIO()
    picture.save(packed, "JPEG", quality=95, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(packed.getvalue()).decode()}"
