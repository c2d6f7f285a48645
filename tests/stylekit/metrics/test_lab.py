import pytest
import torch

from stylekit.metrics import to_lab


@pytest.mark.parametrize(
    ("colour", "expected"),  # after Bruce Lindbloom's calculator, sRGB and D65
    [
        ((1.0, 1.0, 1.0), (100.0, 0.0, 0.0)),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
        ((1.0, 0.0, 0.0), (53.24, 80.09, 67.20)),
        ((0.0, 0.0, 1.0), (32.30, 79.19, -107.86)),
        ((0.5, 0.5, 0.5), (53.39, 0.0, 0.0)),
    ],
)
def test_known_colours(colour, expected):
    image = torch.tensor(colour, dtype=torch.float64)[:, None, None].expand(3, 2, 2)
    assert to_lab(image)[:, 1, 0].tolist() == pytest.approx(expected, abs=0.02)
    assert torch.equal(to_lab(image[None])[0], to_lab(image))
