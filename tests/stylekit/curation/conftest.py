from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def picture():
    """Return a function that makes the file of a picture of random pixels."""

    def make(width: int = 64, height: int = 64, seed: int = 0, kind: str = "PNG") -> bytes:
        pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
        packed = io.BytesIO()
        Image.fromarray(pixels).save(packed, kind)
        return packed.getvalue()

    return make
