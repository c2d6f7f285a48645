import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from stylekit.metrics import RegionMoments, moment_distance, region_moments

generator = torch.Generator().manual_seed(0)
maps = torch.randn(2, 3, 6, 5, generator=generator, dtype=torch.float64)
masks = torch.rand(2, 4, 6, 5, generator=generator) > 0.5


def test_moments_are_those_of_the_pixels_of_each_region():
    found = region_moments(maps, masks.double())
    for row in range(2):
        for region in range(4):
            pixels = maps[row][:, masks[row, region]].numpy()
            assert found.means[row, region].numpy() == pytest.approx(pixels.mean(1))
            assert found.covariances[row, region].numpy() == pytest.approx(np.cov(pixels, bias=True))


def test_weights_count_as_so_many_pixels():
    doubled = region_moments(torch.cat([maps, maps], 3), torch.cat([masks, masks & False], 3).double())
    assert torch.allclose(doubled.means, region_moments(maps, masks.double() * 7).means)


def test_distance_is_that_of_the_formula():
    found = region_moments(maps, masks.double())
    one, other = (RegionMoments(found.means[row], found.covariances[row]) for row in range(2))
    for region in range(4):
        a, b = (each.covariances[region].numpy() for each in (one, other))
        cross = sqrtm(sqrtm(a) @ b @ sqrtm(a)).real
        square = float((one.means[region] - other.means[region]).square().sum()) + np.trace(a + b - 2 * cross)
        assert float(moment_distance(one, other)[region]) == pytest.approx(square**0.5)
    assert moment_distance(one, one).tolist() == pytest.approx([0.0] * 4, abs=1e-6)


def test_two_flat_regions_are_as_far_apart_as_their_colours():
    flat = RegionMoments(torch.tensor([[3.0, 4.0, 0.0]]), torch.zeros(1, 3, 3))
    assert float(moment_distance(flat, RegionMoments(torch.zeros(1, 3), torch.zeros(1, 3, 3)))) == 5.0
