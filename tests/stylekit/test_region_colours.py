from __future__ import annotations

import torch

from stylekit.region_colours import paint_regions

NUM = 64


def test_each_number_has_a_colour_of_its_own() -> None:
    colours = paint_regions(torch.arange(NUM)[None, None])[0, :, 0].T
    assert colours.min() >= 0.0
    assert colours.max() <= 1.0
    distances = torch.cdist(colours, colours) + torch.eye(NUM)
    assert distances.min() > 0.01
    assert distances.diagonal(1).min() > 0.5  # of neighbours in number


def test_a_number_has_the_same_colour_in_every_image() -> None:
    regions = torch.tensor([[[0, 1], [2, 3]], [[3, 3], [1, 7]]])
    first, second = paint_regions(regions)
    assert torch.equal(first[:, 1, 1], second[:, 0, 0])
    assert torch.equal(first[:, 0, 1], second[:, 1, 0])
    assert torch.equal(paint_regions(regions[1:])[0], second)
