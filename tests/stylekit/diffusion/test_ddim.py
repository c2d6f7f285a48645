import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler

from stylekit.diffusion import invert, leading_steps, move, noise_of, sample, scheduled_levels
from stylekit.errors import ConfigError


def scheduler(kind="epsilon"):
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        clip_sample=False,
        set_alpha_to_one=False,
        timestep_spacing="leading",
        prediction_type=kind,
    )


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("count", [1, 15, 20, 50, 150])
def test_leading_steps_are_those_of_diffusers(count):
    diffusers = scheduler()
    diffusers.set_timesteps(count)
    assert leading_steps(count, 1000)[::-1] == [min(999, step) for step in diffusers.timesteps.tolist()]


def test_a_schedule_longer_than_training_is_refused():
    with pytest.raises(ConfigError, match="1 to 999"):
        leading_steps(1000, 1000)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "sample"])
def test_noise_is_found_whatever_the_network_predicts(kind):
    clean, noise, steps = draw(2, 4, 3, 3), draw(2, 4, 3, 3, seed=1), torch.tensor([400, 400])
    levels = scheduled_levels(scheduler(kind), steps)
    latents, predicted = levels.seen(clean, noise), levels.answer(clean, noise)
    torch.testing.assert_close(noise_of(scheduler(kind), predicted, latents, 400), noise)


def test_moved_latents_are_those_that_were_noised_at_the_other_step():
    clean, noise = draw(1, 4, 3, 3), draw(1, 4, 3, 3, seed=1)
    low, high = (
        scheduled_levels(scheduler(), torch.tensor([step])).seen(clean, noise) for step in (100, 700)
    )
    torch.testing.assert_close(move(scheduler(), low, noise, 100, 700), high)
    torch.testing.assert_close(move(scheduler(), high, noise, 700, 100), low)


def predict(latents, step):
    return torch.tanh(latents * 0.5 + step / 2000)


def test_inversion_is_that_of_diffusers():
    inverse = DDIMInverseScheduler.from_config(scheduler().config)
    inverse.set_timesteps(15)
    latents, expected = draw(1, 4, 3, 3), []
    for step in inverse.timesteps.tolist():
        latents = inverse.step(predict(latents, step), step, latents).prev_sample
        expected.append(latents)
    found = list(invert(scheduler(), predict, draw(1, 4, 3, 3), leading_steps(15, 1000)))
    torch.testing.assert_close(torch.stack(found), torch.stack(expected))


def test_sampling_undoes_the_inversion_where_the_noise_stays_the_same():
    clean, noise = draw(1, 4, 3, 3), draw(1, 4, 3, 3, seed=1)
    *_, last = invert(scheduler(), lambda *_: noise, clean, leading_steps(20, 1000))
    back = sample(scheduler(), lambda *_: noise, last, leading_steps(20, 1000)[::-1])
    torch.testing.assert_close(back, clean, atol=1e-5, rtol=1e-5)


def test_the_finer_the_steps_the_closer_the_round_trip():
    def gap(count):
        *_, last = invert(scheduler(), predict, draw(1, 4, 3, 3), leading_steps(count, 1000))
        back = sample(scheduler(), predict, last, leading_steps(count, 1000)[::-1])
        return float((back - draw(1, 4, 3, 3)).abs().mean())

    assert gap(200) < 0.3 * gap(20)
