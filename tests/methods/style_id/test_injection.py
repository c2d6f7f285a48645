import math

import pytest
import torch

from methods.style_id.injection import adapt_statistics, inject


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_injected_attention_is_that_of_the_formula() -> None:
    queries, content, keys, values = draw(4, 1, 2, 5, 4).unbind()
    found = inject(queries, content, keys, values, gamma=0.75, temperature=1.5)
    for head in range(2):
        for token in range(5):
            mixed = 0.75 * content[0, head, token] + 0.25 * queries[0, head, token]
            weights = torch.softmax(1.5 * (keys[0, head] @ mixed) / math.sqrt(4), 0)
            torch.testing.assert_close(found[0, head, token], weights @ values[0, head])


def test_its_own_queries_keys_and_values_are_plain_attention() -> None:
    queries, keys, values = draw(3, 1, 2, 5, 4).unbind()
    plain = torch.nn.functional.scaled_dot_product_attention(queries, keys, values)
    for gamma, content in ((0.0, draw(1, 2, 5, 4, seed=9)), (0.3, queries)):
        torch.testing.assert_close(inject(queries, content, keys, values, gamma, 1.0), plain)


def test_a_high_temperature_chooses_one_place() -> None:
    queries, keys, values = draw(3, 1, 2, 5, 4).unbind()
    nearest = (queries @ keys.mT).argmax(-1)
    chosen = torch.gather(values, 2, nearest.unsqueeze(-1).expand_as(values))
    torch.testing.assert_close(inject(queries, queries, keys, values, 1.0, 1e4), chosen)


def test_statistics_become_exactly_those_of_the_style() -> None:
    content, style = draw(2, 4, 8, 8), 3.0 * draw(1, 4, 6, 5, seed=1) + 2.0
    found = adapt_statistics(content, style)
    torch.testing.assert_close(found.mean((2, 3)), style.mean((2, 3)).expand(2, 4))
    torch.testing.assert_close(found.std((2, 3)), style.std((2, 3)).expand(2, 4))
    torch.testing.assert_close(adapt_statistics(content[:1], content[:1]), content[:1])


def test_statistics_of_several_references_are_averaged() -> None:
    pattern = draw(1, 1, 8, 8)
    pattern = (pattern - pattern.mean()) / pattern.std()
    styles = torch.cat([1.0 + 2.0 * pattern, 5.0 + 4.0 * pattern])
    found = adapt_statistics(draw(1, 1, 8, 8, seed=1), styles)
    assert float(found.mean()) == pytest.approx(3.0, abs=1e-5)
    assert float(found.std()) == pytest.approx(3.0, abs=1e-5)


def test_a_flat_channel_becomes_flat_at_the_mean_of_the_style() -> None:
    style = draw(1, 2, 4, 4)
    found = adapt_statistics(torch.full((1, 2, 4, 4), 7.0), style)
    torch.testing.assert_close(found, style.mean((2, 3), keepdim=True).expand_as(found))
