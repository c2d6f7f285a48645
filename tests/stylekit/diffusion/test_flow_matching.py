import torch

from stylekit.diffusion import draw_sigmas, interpolate, velocity


def test_the_path_is_straight_from_image_to_noise() -> None:
    clean, noise = torch.randn(2, 3, 4, 4, 4).unbind()
    torch.testing.assert_close(interpolate(clean, noise, torch.zeros(3)), clean)
    torch.testing.assert_close(interpolate(clean, noise, torch.ones(3)), noise)
    sigmas = torch.tensor([0.2, 0.5, 0.9])
    step = 1e-3
    moved = (interpolate(clean, noise, sigmas + step) - interpolate(clean, noise, sigmas)) / step
    torch.testing.assert_close(moved, velocity(clean, noise), atol=2e-3, rtol=0)


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
