import pytest
import torch
from torch import Tensor

from methods.attention_distillation import AttentionDistillation
from stylekit.foundation.stable_diffusion import StableDiffusion


def render(method: AttentionDistillation, references: Tensor, contents: Tensor) -> Tensor:
    rows = len(contents)
    return method.render(method.extract(references), [""] * rows, contents, [0] * rows)


def test_it_comes_nearer_to_the_style_than_the_content_is(mini_sd: StableDiffusion, images: Tensor) -> None:
    method = AttentionDistillation(mini_sd, num_steps=20, learning_rate=0.1)
    content, reference = images[:1], images[1:2]
    found = render(method, reference, content)

    def distance(image: Tensor) -> float:
        return float((image.mean((2, 3)) - reference.mean((2, 3))).abs().mean())

    assert distance(found) < 0.7 * distance(content)  # in a fifth of the steps that it is used with


def test_the_heavier_the_content_the_nearer_it_stays(mini_sd: StableDiffusion, images: Tensor) -> None:
    def moved(weight: float) -> float:
        found = render(AttentionDistillation(mini_sd, weight, num_steps=12), images[1:2], images[:1])
        return float((found - images[:1]).abs().mean())

    assert moved(20.0) < 0.9 * moved(0.0)


def test_another_style_gives_another_image_and_a_doubled_one_does_not(
    mini_sd: StableDiffusion, images: Tensor
) -> None:
    method = AttentionDistillation(mini_sd, num_steps=2)
    one, other = (render(method, images[index : index + 1], images[:1]) for index in (1, 2))
    both = render(method, images[1:3], images[:1])
    twice = render(method, images[[1, 1]], images[:1])
    assert (one - other).abs().mean() > 5e-3
    assert (one - both).abs().mean() > 1e-3
    assert (one - twice).abs().mean() < 2e-4


def test_an_image_has_the_same_bits_whatever_is_rendered_with_it(
    mini_sd: StableDiffusion, images: Tensor
) -> None:
    method = AttentionDistillation(mini_sd, num_steps=10)
    together = render(method, images[3:], images[:2])
    assert torch.equal(together[1:], render(method, images[3:], images[1:2]))


def test_only_latents_move_and_the_layers_are_put_back(
    learning_mini_sd: StableDiffusion, images: Tensor
) -> None:
    before = dict(learning_mini_sd.denoiser.attn_processors)
    with torch.no_grad():
        render(AttentionDistillation(learning_mini_sd, num_steps=2), images[1:2], images[:1])
    assert learning_mini_sd.denoiser.attn_processors == before
    assert all(parameter.grad is None for parameter in learning_mini_sd.parameters())


def test_layers_are_put_back_after_an_exception(
    mini_sd: StableDiffusion, images: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, before = AttentionDistillation(mini_sd, num_steps=2), dict(mini_sd.denoiser.attn_processors)
    style = method.extract(images[1:2])

    def break_off(*_: object, **__: object) -> None:
        raise RuntimeError("broken off")

    monkeypatch.setattr(mini_sd.denoiser.conv_out, "forward", break_off)
    with pytest.raises(RuntimeError, match="broken off"):
        method.render(style, [""], images[:1], [0])
    assert mini_sd.denoiser.attn_processors == before


def test_images_of_any_size_are_rendered_at_the_foundations(mini_sd: StableDiffusion, images: Tensor) -> None:
    method = AttentionDistillation(mini_sd, num_steps=1)
    wide = torch.nn.functional.interpolate(images[:2], (80, 120))
    assert render(method, wide[1:], wide[:1]).shape == (1, 3, 64, 64)


def test_it_renders_in_half_precision(images: Tensor) -> None:
    found = render(
        AttentionDistillation(StableDiffusion("mini_sd", dtype="bfloat16"), num_steps=2),
        images[1:3],
        images[:1],
    )
    assert found.dtype == torch.float32
    assert bool(((found >= 0.0) & (found <= 1.0)).all())
