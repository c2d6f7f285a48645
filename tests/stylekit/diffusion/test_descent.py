import pytest
import torch

from stylekit.diffusion import content_energy, descend
from stylekit.errors import ConfigError


def test_steps_are_those_of_adam_over_the_energies_of_the_places() -> None:
    start, aims = torch.zeros(1, 1, 2, 2), [torch.full((1, 1, 2, 2), aim) for aim in (1.0, -2.0, 3.0)]
    found = descend(start, lambda z, place: (z - aims[place]).square().sum(), range(3), learning_rate=0.1)
    # By hand (arXiv 1412.6980, algorithm 1): one number stands for all four.
    z = mean = square = 0.0
    for count, aim in enumerate((1.0, -2.0, 3.0), start=1):
        gradient = 2 * (z - aim)
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        z -= 0.1 * (mean / (1 - 0.9**count)) / ((square / (1 - 0.999**count)) ** 0.5 + 1e-8)
    torch.testing.assert_close(found, torch.full_like(start, z))
    assert torch.equal(start, torch.zeros(1, 1, 2, 2))


def test_the_gradient_reaches_only_the_latents() -> None:
    weight = torch.ones(1, requires_grad=True)
    with torch.no_grad():
        found = descend(
            torch.ones(1, 1, 1, 1), lambda z, place: (weight * z).square().sum(), range(2), learning_rate=0.1
        )
    assert weight.grad is None
    assert not found.requires_grad
    assert float(found) < 1.0


def test_content_energy_is_the_mean_distance_of_queries_in_float32() -> None:
    queries = torch.ones(1, 2, 5, 4, dtype=torch.bfloat16)
    assert content_energy(queries, queries - 0.5).dtype == torch.float32
    assert float(content_energy(queries, queries - 0.5)) == 0.5


def test_latents_that_are_no_longer_finite_are_an_error_that_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match="bfloat16 or float32"):
        descend(torch.ones(1, 1, 1, 1), lambda z, place: (z * torch.nan).sum(), range(1), learning_rate=0.1)
