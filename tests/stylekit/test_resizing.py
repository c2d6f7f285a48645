from __future__ import annotations

import torch

from stylekit.resizing import resized


def test_images_of_the_size_come_back_as_they_are() -> None:
    images = torch.rand(2, 3, 5, 7)
    assert resized(images, 5, 7) is images


def test_other_images_are_stretched_and_stay_in_range() -> None:
    images = torch.zeros(1, 3, 8, 16)
    images[..., 8:] = 1.0
    small = resized(images, 4, 4)
    assert small.shape == (1, 3, 4, 4)
    assert small.min() >= 0.0
    assert small.max() <= 1.0
    torch.testing.assert_close(small[0, 0].mean(0), torch.tensor([0.0, 0.0, 1.0, 1.0]), atol=0.1, rtol=0)
    torch.testing.assert_close(small, small.flip(-1).neg().add(1.0))  # nothing is moved
