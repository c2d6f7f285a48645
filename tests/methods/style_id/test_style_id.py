import pytest
import torch
from torch import Tensor

from methods.style_id import StyleID
from stylekit.diffusion import invert, leading_steps, sample, self_attention_layers
from stylekit.foundation.stable_diffusion import StableDiffusion
from stylekit.foundation.unprompted import Unprompted


def render(method: StyleID, references: Tensor, contents: Tensor) -> Tensor:
    rows = len(contents)
    return method.render(method.extract(references), [""] * rows, contents, [0] * rows)


def test_the_style_is_the_way_to_noise(mini_sd: StableDiffusion, images: Tensor) -> None:
    style = StyleID(mini_sd, num_steps=10).extract(images[:2])
    assert style.shape == (11, 2, 16, 16, 16)
    torch.testing.assert_close(style[0], mini_sd.encode(images[:2]))
    assert 0.85 < float(style[-1].std()) < 1.15


def test_the_content_as_its_own_style_is_reconstructed(mini_sd: StableDiffusion, images: Tensor) -> None:
    content, scheduler, steps = images[:1], mini_sd.pipeline.scheduler, leading_steps(20, 1000)
    predict = Unprompted(mini_sd, self_attention_layers(mini_sd.denoiser)).predict
    with torch.no_grad():
        *_, noise = invert(scheduler, predict, mini_sd.encode(content), steps)
        plain = mini_sd.decode(sample(scheduler, predict, noise, steps[::-1])).clamp(0.0, 1.0)
    own = render(StyleID(mini_sd, gamma=1.0, temperature=1.0, num_steps=20), content, content)
    other = render(StyleID(mini_sd, gamma=1.0, temperature=1.0, num_steps=20), images[1:2], content)
    gap = float((own - plain).abs().mean())
    assert gap < 0.03
    assert gap < 0.2 * float((other - plain).abs().mean())


def test_it_comes_nearer_to_the_style_than_the_content_is(mini_sd: StableDiffusion, images: Tensor) -> None:
    content, reference = images[:1], images[1:2]

    def distance(image: Tensor) -> float:
        return float((image.mean((2, 3)) - reference.mean((2, 3))).abs().mean())

    assert distance(render(StyleID(mini_sd, num_steps=10), reference, content)) < 0.5 * distance(content)


def test_another_style_gives_another_image_and_a_doubled_one_does_not(
    mini_sd: StableDiffusion, images: Tensor
) -> None:
    method = StyleID(mini_sd, num_steps=3)
    one, other = (render(method, images[index : index + 1], images[:1]) for index in (1, 2))
    both = render(method, images[1:3], images[:1])
    twice = render(method, images[[1, 1]], images[:1])
    assert (one - other).abs().mean() > 0.02
    assert (one - both).abs().mean() > 0.01
    torch.testing.assert_close(one, twice, atol=1e-4, rtol=1e-3)


def test_layers_are_put_back_after_an_exception(
    mini_sd: StableDiffusion, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, before = StyleID(mini_sd, num_steps=2), dict(mini_sd.denoiser.attn_processors)
    style = method.extract(images[1:2])

    def break_off(*_: object, **__: object) -> None:
        raise RuntimeError("broken off")

    monkeypatch.setattr("methods.style_id.style_id.inject", break_off)
    with pytest.raises(RuntimeError, match="broken off"):
        method.render(style, [""], images[:1], [0])
    assert mini_sd.denoiser.attn_processors == before


def test_images_of_any_size_are_rendered_at_the_foundations(mini_sd: StableDiffusion, images: Tensor) -> None:
    wide = torch.nn.functional.interpolate(images[:2], (80, 120))
    assert render(StyleID(mini_sd, num_steps=1), wide[1:], wide[:1]).shape == (1, 3, 64, 64)


def test_it_renders_in_half_precision(images: Tensor) -> None:
    found = render(
        StyleID(StableDiffusion("mini_sd", dtype="bfloat16"), num_steps=2), images[1:3], images[:1]
    )
    assert found.dtype == torch.float32
    assert bool(((found >= 0.0) & (found <= 1.0)).all())
