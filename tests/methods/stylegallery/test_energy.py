import pytest
import torch
import torch.nn.functional as F

from methods.stylegallery.energy import regional_energy, regional_gaze, without_style

HEADS, TOKENS, WIDTH = 2, 12, 5


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def attended(count, seed=0):
    return [draw(count, HEADS, TOKENS, WIDTH, seed=seed + index) for index in range(3)]


WANTED = torch.tensor([1, 1, 1, 3, 3, 3, 3, 3, 1, 1, 3, 1])
OFFERED = torch.tensor([[1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2], [3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 3]])
IN_REFERENCE = {1: 0, 3: 1}


def joined(keys_or_values):
    """Lay the tokens of all references in a row."""
    return torch.cat([*keys_or_values], 1)[None]


def by_multiplication(queries, seen, keys, values, scale):
    """The authors' order of computation: a whole attention for each region, all multiplied with masks."""
    loss = 0.0
    for region, reference in IN_REFERENCE.items():
        mine = (region == WANTED)[:, None].float()
        theirs = (OFFERED[reference] == region)[:, None].float()
        should = F.scaled_dot_product_attention(
            scale * (mine * queries), theirs * keys[reference, None], theirs * values[reference, None]
        )
        loss += (mine * (mine * seen - should)).abs().mean()
    return loss


def by_softmax(queries, seen, keys, values, scale):
    loss = 0.0
    for region, reference in IN_REFERENCE.items():
        mine, theirs = region == WANTED, OFFERED[reference] == region
        weights = (scale * queries[:, :, mine] @ keys[reference, None][:, :, theirs].mT / WIDTH**0.5).softmax(
            -1
        )
        gap = seen[:, :, mine] - weights @ values[reference, None][:, :, theirs]
        loss += gap.abs().sum() / seen.numel()
    return loss


@pytest.mark.parametrize(("mode", "plain"), [("zero", by_multiplication), ("softmax", by_softmax)])
def test_all_regions_at_once_are_each_by_itself(mode, plain):
    queries, keys, values = attended(1)[0], *attended(2, seed=7)[:2]
    seen = draw(1, HEADS, TOKENS, WIDTH, seed=3)
    found = regional_energy(
        queries, seen, joined(keys), joined(values), regional_gaze(WANTED, OFFERED, mode), 1.5
    )
    torch.testing.assert_close(found, torch.as_tensor(plain(queries, seen, keys, values, 1.5)))


def test_only_tokens_that_are_meant_for_any_are_looked_at():
    bias, _, looked_at = regional_gaze(WANTED, OFFERED, "zero")
    assert looked_at.tolist() == [0, 1, 2, 3, 12, 13, 14, 23]  # of regions 1 and 3
    assert bias.shape == (TOKENS, 8 + 2)


def test_bfloat16_counts_what_is_not_seen_nearly_as_exactly():
    """At the size of SD 1.5 a logarithm rounded to bfloat16 is off by 3 % of what it stands for."""
    wanted, offered = torch.ones(4, dtype=torch.long), torch.full((1, 4096), 2)
    offered[:, :400] = 1
    bias, *_ = regional_gaze(wanted, offered, "zero")
    unseen = bias[0, -2:].bfloat16().double().exp().sum()
    assert float(unseen) == pytest.approx(4096 - 400, rel=4e-3)
    assert float(torch.tensor(3696.0).log().bfloat16().double().exp()) != pytest.approx(3696, rel=4e-3)


def test_released_masks_shrink_what_a_small_region_should_show():
    wanted, offered = torch.ones(TOKENS, dtype=torch.long), torch.tensor([[1] + [2] * (TOKENS - 1)])
    zeros = torch.zeros(1, HEADS, TOKENS, WIDTH)
    keys, values = torch.zeros(1, HEADS, TOKENS, WIDTH), torch.ones(1, HEADS, TOKENS, WIDTH)
    zero, softmax = (
        regional_energy(zeros, zeros, keys, values, regional_gaze(wanted, offered, mode), 1.0)
        for mode in ("zero", "softmax")
    )
    assert float(softmax) == pytest.approx(1.0)
    assert float(zero) == pytest.approx(1 / TOKENS)


@pytest.mark.parametrize("mode", ["zero", "softmax"])
def test_one_region_of_everything_is_plain_attention(mode):
    queries, keys, values = attended(1)
    whole = torch.ones(TOKENS, dtype=torch.long)
    seen = F.scaled_dot_product_attention(queries, keys, values)
    gaze = regional_gaze(whole, whole[None], mode)
    assert float(regional_energy(queries, seen, keys, values, gaze, 1.0)) == pytest.approx(0.0, abs=1e-6)
    assert float(regional_energy(queries, seen, keys, values, gaze, 1.5)) > 0.01


@pytest.mark.parametrize("mode", ["zero", "softmax"])
def test_tokens_without_a_region_are_left_alone(mode):
    wanted = torch.tensor(
        [0] * 6 + [9] * 5 + [1]
    )  # none, one that no reference has a token of, one that it has
    gaze = regional_gaze(wanted, OFFERED, mode)
    assert gaze.has_region.tolist() == [False] * 11 + [True]
    queries, keys, values = attended(2)
    seen = draw(1, HEADS, TOKENS, WIDTH, seed=3).requires_grad_(True)
    regional_energy(queries[:1], seen, joined(keys), joined(values), gaze, 1.5).backward()
    assert torch.isfinite(seen.grad).all()
    assert seen.grad[:, :, :11].abs().max() == 0
    assert seen.grad[:, :, 11].abs().min() > 0


def test_gradients_do_not_pass_through_what_should_be_seen():
    queries, keys, values = (one.requires_grad_(True) for one in attended(2))
    seen = draw(1, HEADS, TOKENS, WIDTH, seed=3).requires_grad_(True)
    regional_energy(
        queries[:1], seen, joined(keys), joined(values), regional_gaze(WANTED, OFFERED, "zero"), 1.5
    ).backward()
    assert seen.grad is not None
    assert queries.grad is keys.grad is values.grad is None


def test_latents_without_style_have_no_colour_left():
    plain = without_style(3.0 + 2.0 * draw(2, 4, 3, 3))
    torch.testing.assert_close(plain.mean(1), torch.zeros(2, 3, 3), atol=1e-5, rtol=0)
    torch.testing.assert_close(plain.std(1), torch.ones(2, 3, 3))
