"""Against loops over heads and tokens, and where the answer is known."""

import math

import pytest
import torch

from methods.attention_distillation.energies import style_energy


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("scale", [1.0, 1.5])
def test_style_energy_is_that_of_the_formula(scale: float) -> None:
    queries, seen = draw(1, 2, 5, 4), draw(1, 2, 5, 4, seed=1)
    keys, values = draw(1, 2, 7, 4, seed=2), draw(1, 2, 7, 4, seed=3)
    differences = []
    for head in range(2):
        for token in range(5):
            logits = torch.stack(
                [scale * queries[0, head, token] @ key / math.sqrt(4) for key in keys[0, head]]
            )
            weights = logits.exp() / logits.exp().sum()
            wanted = sum(weight * value for weight, value in zip(weights, values[0, head], strict=True))
            differences += (seen[0, head, token] - wanted).abs().tolist()
    found = style_energy(queries, seen, keys, values, scale)
    assert float(found) == pytest.approx(sum(differences) / len(differences), rel=1e-5)


def test_nothing_is_missing_where_the_style_is_the_image_itself() -> None:
    queries, keys, values = draw(1, 2, 5, 4), draw(1, 2, 5, 4, seed=1), draw(1, 2, 5, 4, seed=2)
    seen = torch.nn.functional.scaled_dot_product_attention(queries, keys, values)
    assert float(style_energy(queries, seen, keys, values)) == 0.0
    assert float(style_energy(queries, seen, keys, values, scale=2.0)) > 0.01


def test_the_same_style_twice_is_the_style() -> None:
    queries, seen, keys, values = draw(4, 1, 2, 5, 4).unbind()
    twice = [torch.cat([part, part], 2) for part in (keys, values)]
    torch.testing.assert_close(style_energy(queries, seen, *twice), style_energy(queries, seen, keys, values))


def test_what_is_wanted_is_held_fixed() -> None:
    queries, seen, keys, values = draw(4, 1, 2, 5, 4).requires_grad_(True).unbind()
    gradients = torch.autograd.grad(
        style_energy(queries, seen, keys.detach(), values.detach()), [queries, seen], allow_unused=True
    )
    assert gradients[0] is None
    torch.testing.assert_close(gradients[1].abs(), torch.full_like(seen, 1 / seen.numel()))
