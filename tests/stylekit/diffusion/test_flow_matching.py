import torch

from stylekit.diffusion import draw_sigmas


def test_noise_levels_are_logit_normal_and_shifted() -> None:
    torch.manual_seed(0)
    plain = draw_sigmas(4096, shift=1.0)
    logits = torch.logit(plain)
    assert abs(float(logits.mean())) < 0.01
    assert abs(float(logits.std()) - 1.0) < 0.01
    torch.manual_seed(0)
    torch.testing.assert_close(draw_sigmas(4096, shift=3.0), 3.0 * plain / (1.0 + 2.0 * plain))


def test_every_share_of_the_levels_is_drawn_once() -> None:
    quantiles = torch.special.ndtr(torch.logit(draw_sigmas(10, shift=1.0).double()))
    assert sorted((quantiles * 10).floor().long().tolist()) == list(range(10))
