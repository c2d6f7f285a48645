from pathlib import Path

import pytest
import torch

from methods.text_to_image import Distillation, TextToImage
from methods.text_to_image.distillation import denoised_by
from methods.text_to_image.mini import lay_out
from stylekit.batch import FilmBatch, StyleBatch
from stylekit.diffusion import flow_levels, scheduled_levels
from stylekit.errors import ConfigError
from stylekit.foundation.flux import Flux
from stylekit.foundation.pixel_diffusion import PixelDiffusion
from stylekit.foundation.stable_diffusion import StableDiffusion
from stylekit.foundation.video_diffusion import VideoDiffusion

PROMPTS = ["A cat on the grass.", "A house in the snow."]


@pytest.fixture(scope="module")
def teacher() -> StableDiffusion:
    return StableDiffusion("mini_sd")


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_a_teacher_is_asked_at_its_own_step_about_the_same_image_and_noise(teacher: StableDiffusion) -> None:
    clean, noise, steps = draw(2, 16, 16, 16), draw(2, 16, 16, 16, seed=1), torch.tensor([300, 800])
    levels = scheduled_levels(teacher.pipeline.scheduler, steps)
    found = denoised_by(teacher, clean, noise, levels.ratios, PROMPTS)
    signal, rest = (one.view(-1, 1, 1, 1) for one in (levels.signal, levels.rest))
    seen = signal * clean + rest * noise
    expected = signal * seen - rest * teacher.predict(seen, steps, teacher.condition(PROMPTS))
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)


@torch.no_grad()
def test_beyond_its_last_step_a_teacher_sees_no_more_than_the_student(teacher: StableDiffusion) -> None:
    """Of one-dimensional Gaussian images: the regression on what the student sees is that of the images."""
    told = []

    def keep(seen: torch.Tensor, times: torch.Tensor, condition: object) -> torch.Tensor:
        told.append((seen, times))
        return torch.zeros_like(seen)

    count, ratio = 400_000, 0.03
    clean, noise = draw(count, 1, 1, 1), draw(count, 1, 1, 1, seed=1)
    ratios = torch.full((count,), ratio)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teacher, "predict", keep)
        patch.setattr(teacher, "condition", lambda prompts: {})
        denoised_by(teacher, clean, noise, ratios, [])
    ((seen, times),) = told
    assert (times == 999).all()
    last = scheduled_levels(teacher.pipeline.scheduler, torch.tensor([999]))
    assert float(last.ratios) > 2 * ratio
    assert float(seen.var()) == pytest.approx(1.0, abs=0.01)
    # What the student sees is what the teacher sees and noise that knows nothing of image or teacher.
    its, mine = seen.flatten() / last.signal, (clean + noise / ratio).flatten()
    added = mine - its
    assert abs(float(torch.corrcoef(torch.stack([added, its]))[0, 1])) < 0.01
    assert abs(float(torch.corrcoef(torch.stack([added, clean.flatten()]))[0, 1])) < 0.01


def test_a_student_that_answers_as_its_teacher_has_nothing_to_learn(teacher: StableDiffusion) -> None:
    student, teach = Flux("mini_flux"), Distillation(teacher).told(PROMPTS)
    clean, noise = draw(2, 16, 16, 16), draw(2, 16, 16, 16, seed=1)
    levels = flow_levels(torch.tensor([0.4, 0.8]))
    told = teach(clean, noise, levels)
    assert not told.requires_grad
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(student, "draw_levels", lambda clean: levels)
        patch.setattr(torch, "randn_like", lambda like: noise)
        patch.setattr(student, "predict", lambda seen, times, condition: levels.answer_for(seen, told))
        errors = student.errors(clean, student.condition(PROMPTS), teach)
        plain = student.errors(clean, student.condition(PROMPTS))
    assert float(errors.max()) < 1e-6 < 0.1 < float(plain.min())


def test_where_hardly_any_noise_is_seen_the_image_itself_is_learned(teacher: StableDiffusion) -> None:
    student = Flux("mini_flux")
    clean, noise = draw(2, 16, 16, 16), draw(2, 16, 16, 16, seed=1)
    levels = flow_levels(torch.tensor([0.0, 0.01]))
    with pytest.MonkeyPatch.context() as patch, torch.no_grad():
        patch.setattr(student, "draw_levels", lambda clean: levels)
        patch.setattr(torch, "randn_like", lambda like: noise)
        taught = student.errors(clean, student.condition(PROMPTS), Distillation(teacher).told(PROMPTS))
        plain = student.errors(clean, student.condition(PROMPTS))
    torch.testing.assert_close(taught, plain)


def test_stills_are_taught_in_training_and_films_are_not(teacher: StableDiffusion, tmp_path: Path) -> None:
    lay_out("mini_video", tmp_path)
    latte = VideoDiffusion(str(tmp_path), random_weights=True)
    settings = {"style_probability": 0.0, "drop_probability": 0.0, "motion_probability": 1.0}
    method = TextToImage(latte, distillation=Distillation(teacher), **settings)
    plain = TextToImage(latte, **settings)
    ids, images = torch.arange(2), torch.rand(2, 3, 64, 64)
    stills = StyleBatch(images, ids, ids, ["", ""], PROMPTS)
    films = FilmBatch(images.unsqueeze(1).expand(-1, 8, -1, -1, -1), ids, ids, ["", ""], PROMPTS)

    def loss(of: TextToImage, stage: str, batch: StyleBatch | FilmBatch) -> torch.Tensor:
        of.start(stage)
        torch.manual_seed(2)
        return of.losses(batch)["denoising"]

    torch.testing.assert_close(loss(method, "films", films), loss(plain, "films", films))
    method.eval()
    torch.testing.assert_close(loss(method, "pretrain", stills), loss(plain, "pretrain", stills))

    method.train()
    clean, noise = latte.encode(images), draw(2, 1, 16, 16, 16)
    levels = scheduled_levels(latte.pipeline.scheduler, torch.tensor([300, 700]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(latte, "draw_levels", lambda clean: levels)
        patch.setattr(torch, "randn_like", lambda like: noise.view_as(like))
        found = loss(method, "pretrain", stills)
        with torch.no_grad():
            shown = denoised_by(teacher, clean, noise[:, 0], levels.ratios, PROMPTS)
            seen = levels.seen(clean, noise[:, 0])
            answer = latte.predict(seen.unsqueeze(1), levels.times, latte.condition(PROMPTS))[:, 0]
    expected = (answer - levels.answer_for(seen, shown)).square().mean()
    torch.testing.assert_close(found.detach(), expected)
    assert not any(name.startswith("distillation") for name in method.learned)


@pytest.mark.parametrize("change", ["weights", "scale", "class"])
def test_a_student_on_other_latents_is_refused(teacher: StableDiffusion, change: str) -> None:
    student = PixelDiffusion("mini_pixel") if change == "class" else Flux("mini_flux")
    if change == "weights":
        torch.nn.init.normal_(student.vae.encoder.conv_in.weight)
    elif change == "scale":
        student.vae.register_to_config(scaling_factor=0.5 * student.vae.config.scaling_factor)
    with pytest.raises(ConfigError, match="latents of other autoencoders"):
        TextToImage(student, distillation=Distillation(teacher))


def test_a_student_in_half_precision_is_on_the_same_latents(teacher: StableDiffusion) -> None:
    Distillation(teacher).check(Flux("mini_flux", dtype="bfloat16"))
