"""Every generator is its pipeline: the same images, by prompt and seed alone."""

import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FluxKontextPipeline, FluxPipeline
from safetensors.torch import load_file, save_file

from methods.text_to_image.mini import LAYOUTS, lay_out
from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.flux import Flux
from stylekit.foundation.generator import Generator
from stylekit.foundation.pixel_diffusion import PixelDiffusion
from stylekit.foundation.stable_diffusion import StableDiffusion
from stylekit.foundation.video_diffusion import VideoDiffusion
from stylekit.precision import is_bfloat16_slow

KINDS: dict[str, type[Generator]] = {
    "mini_flux": Flux,
    "mini_sd": StableDiffusion,
    "mini_pixel": PixelDiffusion,
    "mini_video": VideoDiffusion,
}
PROMPTS = ["A cat on the grass.", "A large house and a tree in the snow."]


@pytest.fixture(scope="module", params=LAYOUTS)
def generator(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator:
    folder = tmp_path_factory.mktemp(request.param)
    lay_out(request.param, folder)
    return KINDS[request.param](str(folder), num_steps=2)


def plainly(generator: Generator, prompts: list[str], seeds: list[int]) -> torch.Tensor:
    """Call the pipeline with texts, as its users do."""
    settings = {
        "prompt": prompts, "num_inference_steps": 2, "height": generator.image_size,
        "width": generator.image_size, "output_type": "pt",
        "generator": [torch.Generator().manual_seed(seed) for seed in seeds],
    }  # fmt: skip
    negative = [""] * len(prompts)
    if isinstance(generator, Flux):
        length = generator.pipeline.tokenizer_2.model_max_length
        settings |= {"negative_prompt": negative, "true_cfg_scale": 3.0, "max_sequence_length": length}
    else:
        settings |= {"negative_prompt": negative, "guidance_scale": 3.0}
    return generator.pipeline(**settings).images


# The other pipelines fill prompts up to a length of their own, whatever the tokenizer says.
@pytest.mark.parametrize("generator", ["mini_flux", "mini_sd"], indirect=True)
def test_images_are_those_of_the_pipeline(generator: Generator) -> None:
    torch.testing.assert_close(
        generator.generate(PROMPTS, [0, 1]), plainly(generator, PROMPTS, [0, 1]), atol=1e-4, rtol=0
    )


def asked(generator: Generator, call: Callable[[], Any]) -> dict[str, Any]:
    """Return the arguments with which the denoiser is called first."""
    calls, signature = list[dict[str, Any]](), inspect.signature(type(generator.denoiser).forward)

    def keep(module: Any, args: Any, kwargs: Any) -> None:
        calls.append(signature.bind(module, *args, **kwargs).arguments)

    handle = generator.denoiser.register_forward_pre_hook(keep, with_kwargs=True)
    with torch.no_grad():
        call()
    handle.remove()
    return calls[0]


def test_training_asks_the_network_what_sampling_asks(generator: Generator) -> None:
    sampled = asked(generator, lambda: generator.generate(PROMPTS, [0, 1]))
    prompts = PROMPTS if isinstance(generator, Flux) else ["", "", *PROMPTS]  # guided in one batch or in two
    latents = sampled.get("sample", sampled.get("hidden_states"))
    if isinstance(generator, Flux):
        latents = FluxPipeline._unpack_latents(latents, 16, 16, vae_scale_factor=1)
    elif isinstance(generator, VideoDiffusion):
        latents = latents.transpose(1, 2)
    levels = sampled["timestep"].expand(len(latents))
    trained = asked(generator, lambda: generator.predict(latents, levels, generator.condition(prompts)))
    compared = {name for name, value in trained.items() if isinstance(value, torch.Tensor)}
    assert compared >= {"timestep", "encoder_hidden_states"}
    for name in compared - {"timestep"}:
        torch.testing.assert_close(sampled[name], trained[name], atol=1e-5, rtol=0)
    assert torch.equal(sampled["timestep"].expand(len(latents)), trained["timestep"])


def test_an_image_depends_on_its_own_prompt_and_seed(generator: Generator) -> None:
    both = generator.generate(PROMPTS, [5, 6])
    assert both.shape[-3:] == (3, generator.image_size, generator.image_size)
    torch.testing.assert_close(generator.generate(PROMPTS[::-1], [6, 5]).flip(0), both, atol=1e-4, rtol=0)
    torch.testing.assert_close(generator.generate(PROMPTS[1:], [6]), both[1:], atol=1e-4, rtol=0)
    assert not torch.allclose(generator.generate(PROMPTS[1:], [7]), both[1:], atol=1e-2)
    assert not torch.allclose(generator.generate(PROMPTS[:1], [6]), both[1:], atol=1e-4)


def test_errors_are_those_of_a_denoiser_and_reach_text_encoders(generator: Generator) -> None:
    frames = (generator.num_frames,) if isinstance(generator, VideoDiffusion) else ()
    clean = generator.encode(torch.rand(2, *frames, 3, 64, 64))
    generator.requires_grad_(True)
    torch.manual_seed(0)
    errors = generator.errors(clean, generator.condition(PROMPTS))
    assert errors.shape == (2,)
    errors.sum().backward()
    for module in (generator.denoiser, *generator.text_encoders):
        assert any(parameter.grad is not None for parameter in module.parameters())
    generator.requires_grad_(False)
    generator.zero_grad()


def test_it_saves_what_it_loads(generator: Generator, tmp_path: Path) -> None:
    generator.save(tmp_path / "saved")
    again = type(generator)(str(tmp_path / "saved"), num_steps=2)
    again.save(tmp_path / "again")
    for path in (tmp_path / "again").rglob("*.json"):
        assert not any(word in path.read_text() for word in ("_name_or_path", "is_local", str(tmp_path)))
    assert torch.equal(again.generate(PROMPTS[:1], [3]), generator.generate(PROMPTS[:1], [3]))


def test_a_weight_that_is_missing_is_not_drawn_at_random(generator: Generator, tmp_path: Path) -> None:
    generator.save(tmp_path)
    for name in (generator.denoiser_name, *generator.text_encoder_names):
        (file,) = (tmp_path / name).glob("*.safetensors")
        whole = load_file(file)
        lost = max(whole)
        save_file({key: value for key, value in whole.items() if key != lost}, file, {"format": "pt"})
        with pytest.raises(ConfigError, match=f"{name}' does not fit .*{lost.rpartition('.')[2]}"):
            type(generator)(str(tmp_path))
        save_file(whole, file, {"format": "pt"})


@pytest.mark.parametrize("generator", ["mini_flux"], indirect=True)
def test_kontext_loads_it_as_it_is(generator: Generator, tmp_path: Path) -> None:
    generator.save(tmp_path)
    pipeline = FluxKontextPipeline.from_pretrained(tmp_path)
    pipeline.set_progress_bar_config(disable=True)
    length = pipeline.tokenizer_2.model_max_length
    settings = {"height": 64, "width": 64, "max_area": 64 * 64, "_auto_resize": False, "output_type": "pt"}
    images = pipeline(
        torch.rand(1, 3, 64, 64), PROMPTS[:1], num_inference_steps=2, max_sequence_length=length, **settings
    ).images
    assert images.shape == (1, 3, 64, 64)
    assert images.isfinite().all()


@pytest.mark.parametrize("generator", ["mini_flux"], indirect=True)
def test_flux_begins_by_answering_nothing(generator: Generator, tmp_path: Path) -> None:
    generator.save(tmp_path)
    fresh = Flux(str(tmp_path), random_weights=True)
    with torch.no_grad():
        answer = fresh.predict(torch.randn(2, 16, 16, 16), torch.tensor([0.3, 0.9]), fresh.condition(PROMPTS))
    assert not answer.any()
    gates = [module for name, module in fresh.denoiser.named_modules() if name.endswith("norm.linear")]
    assert len(gates) == len(fresh.denoiser.single_transformer_blocks)
    assert all(not gate.weight.any() and not gate.bias.any() for gate in gates)


def test_random_weights_need_configs_only_and_follow_the_seed(generator: Generator, tmp_path: Path) -> None:
    generator.save(tmp_path)
    for name in (generator.denoiser_name, *generator.text_encoder_names):
        for file in (tmp_path / name).glob("*.safetensors"):
            file.unlink()
    with pytest.raises(MissingError, match=str(tmp_path)):
        type(generator)(str(tmp_path))
    first, same, other = (
        next(type(generator)(str(tmp_path), random_weights=True, seed=seed).denoiser.parameters())
        for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_prompts_beyond_the_repertoire_are_refused(generator: Generator) -> None:
    generator.repertoire = "mini"
    try:
        assert generator.read(["a cat beside a house"]) == ["A cat and a house on a plain background."]
        with pytest.raises(ConfigError, match="'horse'"):
            generator.generate(["a horse"], [0])
    finally:
        generator.repertoire = None


@pytest.mark.parametrize("generator", ["mini_flux"], indirect=True)
def test_noise_levels_are_shifted_as_they_are_sampled(generator: Generator) -> None:
    assert isinstance(generator, Flux)
    scheduler = generator.pipeline.scheduler
    assert generator.shift(64) == scheduler.config.shift
    published = {"base_image_seq_len": 256, "max_image_seq_len": 4096, "base_shift": 0.5, "max_shift": 1.15}
    generator.pipeline.scheduler = type(scheduler)(shift=3.0, use_dynamic_shifting=True, **published)
    try:
        assert generator.shift(256) == pytest.approx(math.exp(0.5))
        assert generator.shift(4096) == pytest.approx(math.exp(1.15))
    finally:
        generator.pipeline.scheduler = scheduler


@pytest.mark.parametrize("generator", ["mini_video"], indirect=True)
def test_latte_is_given_zeros_for_padding_and_small_letters(generator: Generator) -> None:
    embeds = generator.condition(["A cat on the grass."])["prompt_embeds"]
    used = embeds[0].abs().sum(1) > 0
    assert 3 <= int(used.sum()) <= 5
    assert torch.equal(embeds, generator.condition(["  A CAT on the grass. "])["prompt_embeds"])


def test_blocks_over_time_begin_by_passing_frames_on_and_stills_do_not_reach_them(tmp_path: Path) -> None:
    lay_out("mini_video", tmp_path)
    latte = VideoDiffusion(str(tmp_path), random_weights=True)
    latte.denoiser.temp_pos_embed.zero_()  # tells frames of films apart; there is none in a still
    films, steps, condition = (
        torch.randn(2, 8, 16, 16, 16),
        torch.tensor([200, 700]),
        latte.condition(PROMPTS),
    )
    stills = [latte.predict(films[:, frame : frame + 1], steps, condition) for frame in range(8)]
    torch.testing.assert_close(latte.predict(films, steps, condition), torch.cat(stills, 1))
    for module in latte.over_time:
        for parameter in module.parameters():
            torch.nn.init.constant_(parameter, torch.nan)
    assert torch.equal(latte.predict(films[:, :1], steps, condition), stills[0])
    assert latte.predict(films, steps, condition).isnan().all()


def test_a_seed_for_each_prompt_is_asked_for(generator: Generator) -> None:
    with pytest.raises(ConfigError, match="seed"):
        generator.generate(PROMPTS, [0])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_compiled_flux_draws_and_learns_the_same(tmp_path: Path) -> None:
    lay_out("mini_flux", tmp_path)
    plain, compiled = (Flux(str(tmp_path), num_steps=2, compiled=flag) for flag in (False, True))
    assert plain.state_dict().keys() == compiled.state_dict().keys()
    torch.testing.assert_close(
        compiled.generate(PROMPTS, [0, 1]), plain.generate(PROMPTS, [0, 1]), atol=1e-3, rtol=0
    )
    for one in (plain, compiled):
        one.denoiser.requires_grad_(True)
        torch.manual_seed(0)
        clean = torch.randn(2, *one.encode(torch.rand(1, 3, 64, 64)).shape[1:])
        one.errors(clean, one.condition(PROMPTS)).mean().backward()
    for mine, its in zip(plain.denoiser.parameters(), compiled.denoiser.parameters(), strict=True):
        assert (mine.grad is None) == (its.grad is None)
        if mine.grad is not None:
            torch.testing.assert_close(its.grad, mine.grad, atol=1e-4, rtol=1e-2)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(is_bfloat16_slow(), reason="training takes no bfloat16 on this processor")
def test_compiled_flux_learns_in_bfloat16() -> None:
    flux = Flux("mini_flux", compiled=True)
    flux.denoiser.requires_grad_(True)
    torch.manual_seed(0)
    clean = torch.randn(8, *flux.encode(torch.rand(1, 3, 64, 64)).shape[1:])
    with torch.autocast("cpu", torch.bfloat16):
        flux.errors(clean, flux.condition(PROMPTS[:1] * 8)).mean().backward()
    assert all(parameter.grad.isfinite().all() for parameter in flux.denoiser.parameters())


def test_a_unet_is_not_compiled() -> None:
    with pytest.raises(ConfigError, match="compiled is for FLUX, not for PixelDiffusion"):
        PixelDiffusion("mini_pixel", compiled=True)
