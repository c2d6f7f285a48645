import math

import pytest
import torch
from torch import nn

from stylekit.diffusion import Recorder, attending, self_attention_layers
from stylekit.errors import ConfigError
from stylekit.foundation.stable_diffusion import StableDiffusion

UPPER = ("up_blocks.2", "up_blocks.3")


@pytest.fixture(scope="module")
def foundation():
    return StableDiffusion("mini_sd")


def predict(foundation, latents):
    condition = foundation.condition([""] * len(latents))
    steps = torch.full((len(latents),), 300)
    with torch.no_grad():
        return foundation.predict(latents, steps, condition)


def latents(count=2):
    return torch.randn(count, 16, 16, 16, generator=torch.Generator().manual_seed(0))


def test_layers_are_named_in_the_order_in_which_they_run(foundation):
    named = self_attention_layers(foundation.denoiser)
    ran = []

    def attend(name, queries, keys, values):
        ran.append(name)
        return nn.functional.scaled_dot_product_attention(queries, keys, values)

    with attending(foundation.denoiser, named, attend):
        predict(foundation, latents())
    assert ran == named
    assert named[-4:] == self_attention_layers(foundation.denoiser, UPPER)


def test_a_part_without_attention_is_refused_by_name(foundation):
    with pytest.raises(ConfigError, match=r"up_blocks\.0, up_blocks\.22.*mid_block"):
        self_attention_layers(foundation.denoiser, ("up_blocks.0", "up_blocks.3", "up_blocks.22"))


def test_recording_changes_nothing_and_keeps_what_was_attended(foundation):
    names = self_attention_layers(foundation.denoiser, UPPER)
    plain, recorder = predict(foundation, latents()), Recorder()
    with attending(foundation.denoiser, names, recorder):
        torch.testing.assert_close(predict(foundation, latents()), plain)
    assert list(recorder.layers) == names
    queries, keys, values, seen = recorder.layers[names[-1]]
    weights = (queries @ keys.mT / math.sqrt(queries.shape[-1])).softmax(-1)
    torch.testing.assert_close(seen, weights @ values)


def test_what_is_attended_instead_is_what_is_used(foundation):
    names = self_attention_layers(foundation.denoiser, UPPER)
    with attending(foundation.denoiser, names, lambda name, q, k, v: torch.zeros_like(q)):
        without = predict(foundation, latents())
    assert not torch.allclose(without, predict(foundation, latents()), atol=1e-2)


def test_processors_are_put_back_after_an_exception(foundation):
    before, plain = dict(foundation.denoiser.attn_processors), predict(foundation, latents())

    def break_off(*_):
        raise RuntimeError("broken off")

    names = self_attention_layers(foundation.denoiser)
    with pytest.raises(RuntimeError, match="broken off"), attending(foundation.denoiser, names, break_off):
        predict(foundation, latents())
    assert foundation.denoiser.attn_processors == before
    torch.testing.assert_close(predict(foundation, latents()), plain)


def test_gradients_pass_through_what_is_recorded(foundation):
    names, recorder, start = self_attention_layers(foundation.denoiser, UPPER), Recorder(), latents(1)
    start.requires_grad_(True)
    condition = foundation.condition([""])
    with attending(foundation.denoiser, names, recorder):
        foundation.predict(start, torch.tensor([300]), condition)
    (gradient,) = torch.autograd.grad(recorder.layers[names[0]].seen.sum(), start)
    assert gradient.abs().max() > 0
