import pytest
import torch
from diffusers import DDPMScheduler

from stylekit.diffusion import denoising_target, noise_at_random, noised
from stylekit.errors import ConfigError


@pytest.mark.parametrize("kind", ["epsilon", "sample", "v_prediction"])
def test_noise_and_targets_are_those_of_diffusers(kind: str) -> None:
    torch.manual_seed(0)
    scheduler = DDPMScheduler(prediction_type=kind)
    clean, noise = torch.randn(2, 5, 3, 4, 4).unbind()
    steps = torch.tensor([0, 100, 500, 900, 999])
    torch.testing.assert_close(
        noised(scheduler, clean, noise, steps), scheduler.add_noise(clean, noise, steps)
    )
    expected = {
        "epsilon": noise,
        "sample": clean,
        "v_prediction": scheduler.get_velocity(clean, noise, steps),
    }
    torch.testing.assert_close(denoising_target(scheduler, clean, noise, steps), expected[kind])


def test_steps_cover_the_schedule_evenly() -> None:
    scheduler = DDPMScheduler(prediction_type="epsilon")
    clean, noise = torch.randn(2, 10, 3, 2, 2).unbind()
    steps, noisy, target = noise_at_random(scheduler, clean, noise)
    assert sorted((steps // 100).tolist()) == list(range(10))
    torch.testing.assert_close(noisy, noised(scheduler, clean, noise, steps))
    assert target is noise


def test_an_unknown_kind_of_prediction_is_refused() -> None:
    scheduler = DDPMScheduler()
    scheduler.register_to_config(prediction_type="guess")
    with pytest.raises(ConfigError, match="guess"):
        denoising_target(scheduler, torch.zeros(1, 3), torch.zeros(1, 3), torch.tensor([0]))
