import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, FlowMatchEulerDiscreteScheduler

from stylekit.diffusion import Levels, draw_steps, flow_levels, levels_of_ratios, scheduled_levels
from stylekit.errors import ConfigError

KINDS = ["epsilon", "sample", "v_prediction", "flow"]


def some_levels(kind: str) -> Levels:
    if kind == "flow":
        return flow_levels(torch.tensor([0.001, 0.1, 0.5, 0.9, 0.999]))
    return scheduled_levels(DDPMScheduler(prediction_type=kind), torch.tensor([0, 100, 500, 900, 999]))


@pytest.mark.parametrize("kind", KINDS[:-1])
def test_levels_of_a_schedule_are_those_of_diffusers(kind: str) -> None:
    torch.manual_seed(0)
    scheduler, steps = DDPMScheduler(), torch.tensor([0, 100, 500, 900, 999])
    clean, noise = torch.randn(2, 5, 3, 4, 4).unbind()
    levels = some_levels(kind)
    torch.testing.assert_close(levels.seen(clean, noise), scheduler.add_noise(clean, noise, steps))
    expected = {
        "epsilon": noise,
        "sample": clean,
        "v_prediction": scheduler.get_velocity(clean, noise, steps),
    }
    torch.testing.assert_close(levels.answer(clean, noise), expected[kind])


def test_levels_of_a_flow_are_those_of_diffusers() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler()
    clean, noise = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)).unbind()
    times = scheduler.timesteps[torch.tensor([0, 400, 900])]
    levels = flow_levels(times / 1000)
    torch.testing.assert_close(levels.seen(clean, noise), scheduler.scale_noise(clean, times, noise))
    step = 1e-3
    moved = (flow_levels(levels.times + step).seen(clean, noise) - levels.seen(clean, noise)) / step
    torch.testing.assert_close(moved, levels.answer(clean, noise), atol=2e-3, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_image_and_noise_are_found_in_what_is_answered(kind: str) -> None:
    torch.manual_seed(0)
    clean, noise = torch.randn(2, 5, 3, 4, 4).double().unbind()
    levels = Levels(*(one.double() for one in some_levels(kind)))
    seen, answer = levels.seen(clean, noise), levels.answer(clean, noise)
    torch.testing.assert_close(levels.clean_in(seen, answer), clean)
    torch.testing.assert_close(levels.noise_in(seen, answer), noise)
    torch.testing.assert_close(levels.without(seen, noise), clean)


@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_for_an_image_leads_to_it_from_what_is_seen(kind: str) -> None:
    torch.manual_seed(0)
    clean, noise, other = torch.randn(3, 5, 3, 4, 4).double().unbind()
    levels = Levels(*(one.double() for one in some_levels(kind)))
    answer = levels.answer_for(levels.seen(clean, noise), other)
    torch.testing.assert_close(levels.clean_in(levels.seen(clean, noise), answer), other)
    its_own = levels.answer_for(levels.seen(clean, noise), clean)
    torch.testing.assert_close(its_own, levels.answer(clean, noise))


def test_steps_cover_the_schedule_evenly() -> None:
    steps = draw_steps(DDPMScheduler(), 10)
    assert sorted((steps // 100).tolist()) == list(range(10))


def test_levels_have_the_ratio_that_is_asked_for_between_steps_too() -> None:
    scheduler = DDPMScheduler(prediction_type="v_prediction")
    steps = torch.tensor([0, 3, 500, 999])
    at_steps = scheduled_levels(scheduler, steps)
    again = levels_of_ratios(scheduler, at_steps.ratios)
    torch.testing.assert_close(again.times, steps.float(), atol=2e-2, rtol=0)
    for one, other in zip(again[1:], at_steps[1:], strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)

    ratios = torch.tensor([50.0, 3.0, 0.7, 0.02])
    levels = levels_of_ratios(scheduler, ratios)
    torch.testing.assert_close(levels.ratios, ratios, rtol=1e-3, atol=0)
    for time, ratio in zip(levels.times, ratios, strict=True):
        around = scheduled_levels(scheduler, torch.stack([time.floor(), time.ceil()]).long()).ratios
        assert around[0] >= ratio >= around[1]


def test_a_ratio_that_a_schedule_does_not_reach_is_its_end() -> None:
    scheduler = DDPMScheduler(prediction_type="epsilon")
    levels = levels_of_ratios(scheduler, torch.tensor([1e6, 0.0]))
    ends = scheduled_levels(scheduler, torch.tensor([0, 999]))
    torch.testing.assert_close(levels.times, ends.times.float())
    torch.testing.assert_close(levels.signal, ends.signal)


def test_a_schedule_that_ends_in_nothing_but_noise_ends_a_step_before() -> None:
    scheduler = DDIMScheduler(prediction_type="v_prediction", rescale_betas_zero_snr=True)
    assert float(scheduler.alphas_cumprod[-1]) == 0.0
    levels = levels_of_ratios(scheduler, torch.tensor([0.0, 1e-9, 0.5]))
    assert all(one.isfinite().all() for one in levels)
    assert levels.times[:2].tolist() == [998.0, 998.0]
    assert float(levels.signal[0]) > 0.0


def test_an_unknown_kind_of_prediction_is_refused() -> None:
    scheduler = DDPMScheduler()
    scheduler.register_to_config(prediction_type="guess")
    with pytest.raises(ConfigError, match="guess"):
        scheduled_levels(scheduler, torch.tensor([0]))
