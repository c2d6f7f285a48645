import pytest
import torch

from stylekit.diffusion import self_attention_layers
from stylekit.foundation.architecture import published
from stylekit.foundation.stable_diffusion import StableDiffusion
from stylekit.foundation.unprompted import (
    AttentionAtSteps,
    Unprompted,
    take_keys_and_values,
    take_queries,
)

STEPS = list(range(1, 1000, 90))  # 12, which is one group of 8 and a rest


@pytest.fixture(scope="module")
def unprompted():
    foundation = StableDiffusion("mini_sd")
    return Unprompted(foundation, self_attention_layers(foundation.denoiser, ("up_blocks.2", "up_blocks.3")))


def latents(count=1):
    return torch.randn(count, 16, 16, 16, generator=torch.Generator().manual_seed(0))


def counted(unprompted, monkeypatch):
    calls = []
    look = unprompted.look
    monkeypatch.setattr(unprompted, "look", lambda *args: calls.append(len(args[0])) or look(*args))
    return calls


def test_it_predicts_what_the_foundation_does_of_the_empty_prompt(unprompted):
    foundation = unprompted.foundation
    steps = torch.tensor([300, 300])
    with torch.no_grad():
        expected = foundation.predict(latents(2), steps, foundation.condition(["", ""]))
        torch.testing.assert_close(unprompted.predict(latents(2), 300), expected)


@pytest.mark.parametrize("count", [1, 3, 9])
def test_what_is_taken_at_a_place_is_what_is_seen_there_alone(unprompted, count):
    at = AttentionAtSteps(
        unprompted, [latents(count) * (1 + i) for i in range(12)], STEPS, take_keys_and_values
    )
    for place in (0, 7, 8, 11):
        with torch.no_grad():
            layers = unprompted.look(latents(count) * (1 + place), torch.full((count,), STEPS[place]))
        assert list(at[place]) == list(layers) == list(unprompted.layers)
        for name, layer in layers.items():
            keys, values = at[place][name]
            torch.testing.assert_close(keys[0], torch.cat([*layer.keys], 1), atol=1e-5, rtol=1e-4)
            torch.testing.assert_close(values[0], torch.cat([*layer.values], 1), atol=1e-5, rtol=1e-4)


def test_places_are_looked_at_once_and_together(unprompted, monkeypatch):
    calls = counted(unprompted, monkeypatch)
    at = AttentionAtSteps(unprompted, [latents()] * 12, STEPS, take_queries)
    for place in [*range(12), *range(12)]:
        at[place]
    assert calls == [8, 4]


def test_without_room_they_are_looked_at_again_and_are_the_same(unprompted, monkeypatch):
    kept = AttentionAtSteps(unprompted, [latents(4)] * 6, STEPS[:6], take_keys_and_values)
    none = AttentionAtSteps(unprompted, [latents(4)] * 6, STEPS[:6], take_keys_and_values, room=0)
    calls = counted(unprompted, monkeypatch)
    for place in [*range(6), *range(6)]:
        for name, layer in kept[place].items():
            for found, expected in zip(none[place][name], layer, strict=True):
                assert torch.equal(found, expected)
    assert calls == [8] * 9  # three groups of two places: once, and twice without room
    assert none.bytes == 0


def test_the_older_groups_stay_when_there_is_no_more_room(unprompted, monkeypatch):
    probe = AttentionAtSteps(unprompted, [latents(8)] * 4, STEPS[:4], take_keys_and_values)
    probe[0]
    at = AttentionAtSteps(unprompted, [latents(8)] * 4, STEPS[:4], take_keys_and_values, room=probe.bytes)
    calls = counted(unprompted, monkeypatch)
    for place in [*range(4), *range(4)]:
        at[place]
    assert len(calls) == 4 + 3  # the first stays, and one more at a time
    assert at.bytes == at.room


def test_the_upper_layers_of_sd_1_5_are_its_last_six():
    with torch.device("meta"):
        unet = published("stable-diffusion-v1-5/stable-diffusion-v1-5").trained.build()
    upper = self_attention_layers(unet, ("up_blocks.2", "up_blocks.3"))
    assert upper == self_attention_layers(unet)[10:]
    assert len(upper) == 6


def test_gradients_reach_the_latents_that_are_looked_at(unprompted):
    start = latents().requires_grad_(True)
    layers = unprompted.look(start, torch.tensor([300]))
    (gradient,) = torch.autograd.grad(sum(layer.seen.sum() for layer in layers.values()), start)
    assert gradient.abs().max() > 0
