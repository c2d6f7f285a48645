import pytest
import torch

from stylekit.metrics import structure


def test_structure_is_that_of_the_cosines_between_all_patches():
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(2, 5, 7, generator=generator, dtype=torch.float64) for _ in range(2))
    for row in range(2):
        apart = [
            abs(
                float(torch.cosine_similarity(one[row, i], one[row, j], 0))
                - float(torch.cosine_similarity(other[row, i], other[row, j], 0))
            )
            for i in range(5)
            for j in range(5)
        ]
        assert float(structure(one, other)[row]) == pytest.approx(1 - sum(apart) / 25)


def test_what_is_turned_and_scaled_as_a_whole_keeps_its_structure():
    generator = torch.Generator().manual_seed(0)
    tokens = torch.randn(1, 6, 4, generator=generator, dtype=torch.float64)
    turn, _ = torch.linalg.qr(torch.randn(4, 4, generator=generator, dtype=torch.float64))
    assert float(structure(tokens, 3 * tokens @ turn)) == pytest.approx(1.0)
    assert float(structure(tokens, tokens.flip(1))) < 0.9
