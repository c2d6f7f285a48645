from pathlib import Path

import pytest
import torch

from methods.text_to_image import TextToImage
from methods.text_to_image.mini import lay_out
from stylekit.batch import FilmBatch, StyleBatch
from stylekit.errors import ConfigError
from stylekit.foundation.stable_diffusion import StableDiffusion
from stylekit.foundation.video_diffusion import VideoDiffusion


@pytest.fixture(scope="module")
def foundation(tmp_path_factory: pytest.TempPathFactory) -> StableDiffusion:
    folder: Path = tmp_path_factory.mktemp("mini_sd")
    lay_out("mini_sd", folder)
    return StableDiffusion(str(folder), num_steps=2)


def make_batch(count: int = 4, latents: torch.Tensor | None = None) -> StyleBatch:
    torch.manual_seed(0)
    ids = torch.arange(count)
    styles, contents = [f"style {i}" for i in ids.tolist()], [f"content {i}." for i in ids.tolist()]
    return StyleBatch(torch.rand(count, 3, 64, 64), ids, ids, styles, contents, latents)


def test_denoiser_and_text_encoders_learn_and_the_autoencoder_does_not(foundation: StableDiffusion) -> None:
    method = TextToImage(foundation)
    method.start("pretrain")
    prefixes = {name.split(".")[1] for name in method.learned}
    assert prefixes == {"unet", "text_encoder"}


def test_a_generator_of_films_learns_from_stills_first_and_then_over_time(tmp_path: Path) -> None:
    lay_out("mini_video", tmp_path)
    latte = VideoDiffusion(str(tmp_path), random_weights=True)
    method, stills = TextToImage(latte), make_batch()
    over_time = {f"foundation.transformer.{name}" for name, _ in latte.denoiser.named_parameters()}
    over_time = {name for name in over_time if "temporal" in name}
    assert over_time
    films = FilmBatch(stills.images.unsqueeze(1).expand(-1, latte.num_frames, -1, -1, -1), *stills[1:5])
    for stage in ("easy", "pretrain"):
        method.start(stage)
        assert not over_time & set(method.learned)
        method.losses(stills)["denoising"].backward()
        with pytest.raises(ConfigError, match="stage films"):
            method.losses(films)
    method.start("films")
    assert over_time <= set(method.learned)
    method.losses(films)["denoising"].backward()
    for parameter in latte.denoiser.parameters():
        assert parameter.grad is not None

    losses = []
    for one in (stills, stills._replace(latents=latte.encode(stills.images))):
        torch.manual_seed(1)
        losses.append(method.losses(one)["denoising"])
    torch.testing.assert_close(*losses)


def test_latents_that_were_kept_give_the_loss_of_images_encoded_now(foundation: StableDiffusion) -> None:
    method = TextToImage(foundation)
    batch = make_batch()
    kept = batch._replace(latents=foundation.encode(batch.images))
    losses = []
    for one in (batch, kept):
        torch.manual_seed(1)
        losses.append(method.losses(one)["denoising"])
    torch.testing.assert_close(*losses)


def test_prompts_say_the_style_or_nothing_as_often_as_asked(foundation: StableDiffusion) -> None:
    method = TextToImage(foundation, style_probability=0.7, drop_probability=0.1)
    prompts = method._prompts(make_batch(4000))
    empty = sum(prompt == "" for prompt in prompts) / 4000
    with_style = sum("style" in prompt for prompt in prompts) / 4000
    assert abs(empty - 0.1) < 0.02
    assert abs(with_style - 0.9 * 0.7) < 0.03


def test_prompts_of_films_say_the_motion_as_often_as_asked(foundation: StableDiffusion) -> None:
    method = TextToImage(foundation, style_probability=0.0, drop_probability=0.0, motion_probability=0.7)
    ids, scene = torch.arange(2000), "A cat on the grass."
    films = torch.zeros(2000, 1, 3, 1, 1)
    batch = FilmBatch(films, ids, ids, [""] * 2000, [f"{scene} The cat moves left."] * 2000)
    torch.manual_seed(0)
    prompts = method._prompts(batch)
    assert set(prompts) == {scene, f"{scene} The cat moves left."}
    assert abs(prompts.count(scene) / 2000 - 0.3) < 0.03


def test_it_renders_prompts_and_asks_for_them(foundation: StableDiffusion) -> None:
    method = TextToImage(foundation)
    style = method.extract(torch.rand(1, 3, 64, 64))
    images = method.render(style, ["A cat on the grass."], None, [3])
    assert torch.equal(images, foundation.generate(["A cat on the grass."], [3]))
    with pytest.raises(ConfigError, match="prompt"):
        method.render(style, [], None, [])
