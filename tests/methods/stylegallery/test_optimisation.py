import pytest
import torch

from methods.stylegallery.optimisation import Course, Optimiser
from methods.stylegallery.schedule import optimisation_steps
from stylekit.diffusion import self_attention_layers
from stylekit.foundation.unprompted import Unprompted
from tests.methods.stylegallery.plain import plain_latents

ROOM = 2**30


def course(**changes):
    settings = {
        "steps": optimisation_steps("leading", 150, 1000)[::30],
        "iterations": 1,
        "learning_rate": 0.05,
        "content_weight": 0.26,
        "style_weight": 1.0,
        "attention_scale": 1.5,
        "mask_mode": "zero",
    }
    return Course(**(settings | changes))


def latents(count, seed):
    return torch.randn(count, 16, 16, 16, generator=torch.Generator().manual_seed(seed))


def scene():
    """A content of two regions and two references of three in all; 2 is matched with none."""
    wanted, offered = torch.ones(16, 16, dtype=torch.long), torch.ones(2, 16, 16, dtype=torch.long)
    wanted[4:12, 5:14] = 3
    offered[0, :, 9:] = 2
    offered[1] = 3
    return latents(1, 0), latents(1, 1), latents(2, 2), wanted, offered


def layers(mini_sd):
    return self_attention_layers(mini_sd.denoiser, ("up_blocks.2", "up_blocks.3"))


# Larger rates turn rounding into other signs of Adam, see the test of a whole course.
@pytest.mark.parametrize("changes", [{}, {"mask_mode": "softmax"}, {"iterations": 2, "learning_rate": 0.02}])
def test_what_is_kept_and_batched_is_what_is_computed_plainly(mini_sd, changes):
    names, settings = layers(mini_sd), course(**changes)
    expected = plain_latents(mini_sd, names, settings, *scene())
    optimiser = Optimiser(settings, ROOM)
    found, curves = optimiser.optimise(Unprompted(mini_sd, names), *scene())
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    again, _ = optimiser.optimise(Unprompted(mini_sd, names), *scene())  # now all of it is kept
    torch.testing.assert_close(again, found, atol=0, rtol=0)
    assert len(curves["style"]) == len(curves["content"]) == len(settings.steps) * settings.iterations


@pytest.mark.slow
def test_over_a_whole_course_it_is_off_by_what_the_last_bits_of_the_beginning_make(mini_sd, images):
    """Adam on absolute differences goes by signs, which rounding turns where an energy is nearly still."""
    names = layers(mini_sd)
    settings = course(steps=optimisation_steps("leading", 100, 1000, 0.1), content_weight=0.4)
    with torch.no_grad():
        content, references = mini_sd.encode(images[:1]), mini_sd.encode(images[1:3])
    rest = (content, references, *scene()[3:])
    expected = plain_latents(mini_sd, names, settings, content, *rest)
    nudged = plain_latents(mini_sd, names, settings, content * (1 + 1e-6), *rest)
    found, _ = Optimiser(settings, ROOM).optimise(Unprompted(mini_sd, names), content, *rest)
    assert (found - expected).abs().mean() < 1.3 * (nudged - expected).abs().mean()
    with torch.no_grad():
        gap = (mini_sd.decode(found) - mini_sd.decode(expected)).abs()
    assert gap.mean() < 0.005
    assert gap.max() < 0.05


def test_without_room_nothing_is_kept_and_the_result_is_the_same(mini_sd):
    names = layers(mini_sd)
    kept, _ = Optimiser(course(), ROOM).optimise(Unprompted(mini_sd, names), *scene())
    poor = Optimiser(course(), 0)
    found, _ = poor.optimise(Unprompted(mini_sd, names), *scene())
    torch.testing.assert_close(found, kept, atol=0, rtol=0)


def test_energies_fall(mini_sd):
    _, curves = Optimiser(course(steps=[300] * 12), ROOM).optimise(
        Unprompted(mini_sd, layers(mini_sd)), *scene()
    )
    assert curves["style"][-1] + 0.26 * curves["content"][-1] < 0.9 * (
        curves["style"][0] + 0.26 * curves["content"][0]
    )


def test_a_content_that_is_its_own_style_has_no_energy(mini_sd):
    """Begun at the clean latents, in softmax of scale 1 with one region, nothing is to be done."""
    _, content, *_ = scene()
    normal = (content - content.mean(1, keepdim=True)) / (content.std(1, keepdim=True) + 1e-8)
    whole = torch.ones(16, 16, dtype=torch.long)
    _, curves = Optimiser(course(mask_mode="softmax", attention_scale=1.0, steps=[300]), ROOM).optimise(
        Unprompted(mini_sd, layers(mini_sd)), normal, normal, normal, whole, whole[None]
    )
    assert curves["style"][0] == pytest.approx(0.0, abs=1e-5)
    assert curves["content"][0] == pytest.approx(0.0, abs=1e-5)


def test_nothing_but_the_latents_has_a_gradient(learning_mini_sd):
    names = layers(learning_mini_sd)
    Optimiser(course(steps=[300]), ROOM).optimise(Unprompted(learning_mini_sd, names), *scene())
    assert all(parameter.grad is None for parameter in learning_mini_sd.parameters())


def test_a_style_that_fills_its_share_of_the_memory_still_serves_the_next_content(mini_sd, monkeypatch):
    begin, content, *rest = scene()
    settings = course(steps=optimisation_steps("leading", 150, 1000)[::6])  # 25
    probe = Optimiser(settings, 2**40)
    probe.optimise(Unprompted(mini_sd, layers(mini_sd)), begin, content, *rest)
    style = max(shown.bytes for shown in probe._shown.values())
    room = int(1.2 * style)  # half of it holds more than half of the style
    fed, passes = Optimiser(settings, room), list[int]()
    unprompted = Unprompted(mini_sd, layers(mini_sd))
    look = unprompted.look
    monkeypatch.setattr(unprompted, "look", lambda *args: passes.append(len(args[0])) or look(*args))
    fed.optimise(unprompted, begin, content, *rest)
    first = sum(passes)
    fed.optimise(unprompted, begin, content + 0.1, *rest)
    assert sum(shown.bytes for shown in fed._shown.values()) <= room
    assert sum(passes) - first < first - 24  # half of the style's 50 latents were not looked at again


def test_steps_are_spaced_as_asked():
    leading = optimisation_steps("leading", 150, 1000)
    assert leading[:3] == [895, 889, 883]
    assert leading[-1] == 1
    trailing = optimisation_steps("trailing", 4, 1000)
    assert trailing == [999, 749, 499, 249]
    lcm = optimisation_steps("lcm", 4, 1000)
    assert lcm == [999, 759, 499, 259]
    assert optimisation_steps("leading", 150, 1000, 0.1)[::50] == [90, 60, 30]
    assert optimisation_steps("leading", 150, 1000, 0.1)[-1] == 1
