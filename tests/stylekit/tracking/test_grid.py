from __future__ import annotations

import pytest
import torch

from stylekit.tracking.grid import GAP, image_grid


def test_images_stand_row_by_row_on_white():
    images = torch.arange(5).float()[:, None, None, None].expand(5, 3, 4, 6) / 8
    grid = image_grid(images)
    assert grid.shape == (3, 2 * 4 + GAP, 3 * 6 + 2 * GAP)
    assert grid[:, 0, 6 + GAP].tolist() == pytest.approx([1 / 8] * 3)  # second image
    assert grid[:, 4 + GAP, 0].tolist() == pytest.approx([3 / 8] * 3)  # fourth image, second row
    assert (grid[:, :, 6] == 1).all()
    assert (grid[:, 4 + GAP :, 2 * (6 + GAP) :] == 1).all()  # nothing in the last place


def test_columns_can_be_chosen():
    assert image_grid(torch.zeros(6, 3, 2, 2), columns=6).shape == (3, 2, 6 * 2 + 5 * GAP)
