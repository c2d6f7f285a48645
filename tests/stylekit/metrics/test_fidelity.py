import math

import pytest
import torch

from stylekit.metrics import psnr


def test_psnr_of_each_image_is_its_closed_form():
    originals = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    images = originals.clone()
    images[0] += 0.1
    images[1, :, :4] += 0.2
    found = psnr(images, originals)
    assert found.tolist()[:2] == pytest.approx([20.0, -10 * math.log10(0.04 / 2)], abs=1e-4)
    assert math.isinf(float(found[2]))
