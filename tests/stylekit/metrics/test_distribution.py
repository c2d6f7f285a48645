import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import poly_mmd

from stylekit.metrics import (
    art_frechet_values,
    frechet_distance,
    frechet_values,
    kernel_distance,
    kernel_values,
    mean_interval,
)
from stylekit.metrics.distribution import blockwise


def sample(count, dim=6, seed=0, shift=0.0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dim, dim, generator=torch.Generator().manual_seed(99))
    return scale * torch.randn(count, dim, generator=generator) @ mixing + shift


def frechet_by_scipy(x, y):
    x, y = x.double().numpy(), y.double().numpy()
    s, t = np.cov(x.T), np.cov(y.T)
    return ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(s + t - 2 * sqrtm(s @ t).real)


@pytest.mark.parametrize(("n", "m", "dim"), [(40, 50, 6), (5, 50, 8), (50, 5, 8)])
def test_frechet_distance_is_that_of_scipy(n, m, dim):
    x, y = sample(n, dim, 0, shift=0.3), sample(m, dim, 1, scale=1.5)
    assert frechet_distance(x, y) == pytest.approx(frechet_by_scipy(x, y), rel=1e-5)


def test_frechet_distance_is_that_of_torchmetrics():
    class Means(nn.Module):
        num_features = 4

        def forward(self, images):
            return torch.cat([images.mean((2, 3)), images.std((1, 2, 3))[:, None]], 1)

    metric = FrechetInceptionDistance(feature=Means(), normalize=True, input_img_size=(3, 8, 8))
    real, fake = (torch.rand(30, 3, 8, 8, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    fake = fake * 0.8
    metric.update(real, real=True)
    metric.update(fake, real=False)
    found = frechet_distance(Means()(fake), Means()(real))
    assert found == pytest.approx(float(metric.compute()), rel=1e-3)


def test_frechet_distance_of_diagonal_gaussians_is_the_closed_form():
    # Points at +-sqrt(d) on each axis have mean 0 and a diagonal covariance that is known.
    base = torch.cat([torch.eye(3), -torch.eye(3)])
    x, y = base * torch.tensor([1.0, 2.0, 3.0]), base * torch.tensor([2.0, 2.0, 5.0]) + 1.0
    variance = 2 / 5  # of +-1 twice and 0 four times, unbiased
    assert frechet_distance(x, y) == pytest.approx(3.0 + variance * (1 + 0 + 4), rel=1e-9)


def test_kernel_distance_is_the_mean_over_pairs():
    x, y = sample(7, seed=0), sample(9, seed=1, shift=0.5)

    def k(a, b):
        return (float(a.double() @ b.double()) / 6 + 1) ** 3

    xx = [k(x[i], x[j]) for i in range(7) for j in range(7) if i != j]
    yy = [k(y[i], y[j]) for i in range(9) for j in range(9) if i != j]
    xy = [k(a, b) for a in x for b in y]
    expected = np.mean(xx) + np.mean(yy) - 2 * np.mean(xy)
    assert kernel_distance(x, y) == pytest.approx(expected, rel=1e-9)


def test_kernel_distance_is_that_of_torchmetrics_for_sets_of_one_size():
    x, y = sample(20, seed=0).double(), sample(20, seed=1, shift=0.5).double()
    assert kernel_distance(x, y) == pytest.approx(float(poly_mmd(y, x)), rel=1e-9)


@pytest.mark.parametrize(
    ("values", "distance"), [(frechet_values, frechet_distance), (kernel_values, kernel_distance)]
)
def test_values_of_blocks_average_to_the_distance_and_scatter_as_the_jackknife(values, distance):
    x, y = sample(24, seed=0), sample(40, seed=1, shift=0.4)
    blocks = torch.arange(24) // 4
    found = np.array(values(x, y, blocks))
    assert found.mean() == pytest.approx(distance(x, y), rel=1e-6)
    without = np.array([distance(x[blocks != block], y) for block in range(6)])
    jackknife = 5 / 6 * ((without - without.mean()) ** 2).sum()
    assert found.var(ddof=1) / 6 == pytest.approx(jackknife, rel=1e-6)


def test_product_is_that_of_the_set_and_of_the_sets_without_each_block():
    x, y = sample(12, seed=0), sample(40, seed=1, shift=0.4)
    apart, blocks = torch.linspace(0.1, 0.9, 12), torch.arange(12) // 3

    def product(kept):
        return (1 + float(apart[kept].mean())) * (1 + frechet_distance(x[kept], y))

    without = [product(blocks != block) for block in range(4)]
    whole = product(blocks >= 0)
    expected = [whole + 3 * (sum(without) / 4 - one) for one in without]
    assert art_frechet_values(x, y, apart, blocks) == pytest.approx(expected, rel=1e-6)


def test_of_a_mean_the_values_are_those_of_the_blocks():
    numbers, blocks = torch.arange(12.0), torch.arange(12) // 3
    assert blockwise(lambda kept: float(numbers[kept].mean()), blocks) == pytest.approx([1.0, 4.0, 7.0, 10.0])


def test_interval_of_the_kernel_distance_holds_in_most_cases():
    reference = sample(400, seed=7)
    truth = kernel_distance(sample(1500, seed=8, shift=0.4), reference)
    hits = 0
    for seed in range(40):
        values = kernel_values(sample(96, seed=100 + seed, shift=0.4), reference, torch.arange(96) // 4)
        interval = mean_interval(values, num_resamples=500)
        hits += interval.low <= truth <= interval.high
    assert hits >= 34  # 95 % of 40 are 38


def test_broken_features_are_refused():
    with pytest.raises(ValueError, match="NaN"):
        frechet_distance(torch.full((4, 2), torch.nan), sample(4, 2))
    with pytest.raises(ValueError, match="two rows"):
        kernel_distance(sample(1), sample(4))
    with pytest.raises(ValueError, match="two blocks"):
        kernel_values(sample(4), sample(4), torch.zeros(4).long())
