from typing import Any

import pytest
import torch
from torch import nn

from methods.text_to_image import Alignment, TextToImage
from methods.text_to_image.alignment import misalignment
from stylekit.batch import FilmBatch, StyleBatch
from stylekit.config import compose
from stylekit.errors import ConfigError
from stylekit.foundation.clip import Clip
from stylekit.foundation.flux import Flux
from stylekit.foundation.generator import Generator
from stylekit.foundation.pixel_diffusion import PixelDiffusion
from stylekit.foundation.siglip import Siglip
from stylekit.foundation.stable_diffusion import StableDiffusion
from stylekit.foundation.video_diffusion import VideoDiffusion


@pytest.fixture(scope="module")
def teacher() -> Siglip:
    return Siglip("mini_siglip")


def make_batch(films: bool = False) -> StyleBatch | FilmBatch:
    torch.manual_seed(0)
    ids, texts = torch.arange(4), ["A cat on the grass."] * 4
    if films:
        return FilmBatch(torch.rand(4, 8, 3, 64, 64), ids, ids, texts, texts)
    return StyleBatch(torch.rand(4, 3, 64, 64), ids, ids, texts, texts)


def test_misalignment_is_one_minus_the_cosine_place_by_place() -> None:
    torch.manual_seed(0)
    projected, seen = torch.randn(2, 3, 3, 5), torch.randn(2, 3, 3, 5)
    mean = sum(seen[n, y, x] for n in range(2) for y in range(3) for x in range(3)) / 18
    expected = 0.0
    for n in range(2):
        for y in range(3):
            for x in range(3):
                a, b = projected[n, y, x], seen[n, y, x] - mean
                expected += (1.0 - float(a @ b / (a.norm() * b.norm()))) / 18
    assert float(misalignment(projected, seen)) == pytest.approx(expected, abs=1e-6)


def test_misalignment_is_zero_where_both_see_the_same_on_grids_of_any_side() -> None:
    torch.manual_seed(0)
    seen = torch.randn(2, 4, 4, 5)
    seen -= seen.mean((0, 1, 2))
    assert float(misalignment(3.0 * seen, seen + 7.0)) == pytest.approx(0.0, abs=1e-5)
    halves = torch.randn(2, 1, 2, 5).repeat_interleave(8, 1).repeat_interleave(4, 2)
    projected = halves[:, ::2, ::2] - halves.mean((0, 1, 2))
    assert float(misalignment(projected, halves)) < 0.1 < 1.0 < float(misalignment(-projected, halves))


@pytest.mark.parametrize(
    ("cls", "name", "place"),
    [
        (Flux, "mini_flux", None),
        (StableDiffusion, "mini_sd", None),
        (PixelDiffusion, "mini_pixel", None),
        (VideoDiffusion, "mini_video", {"layer": "transformer_blocks.1", "width": 128}),
    ],
)
def test_layers_of_recipes_and_of_films_lie_on_the_grid_of_the_teacher(
    cls: type[Generator], name: str, place: dict[str, Any] | None, teacher: Siglip
) -> None:
    place = place or compose(f"pretrain_{name}").values["method"]["alignment"]
    layer, width = place["layer"], place["width"]
    foundation = cls(name, random_weights=True)
    alignment = Alignment(teacher, layer, width)
    with alignment.watch(foundation.denoiser) as hidden:
        batch = make_batch(films=foundation.draws_films)
        pixels = batch.films if isinstance(batch, FilmBatch) else batch.images
        foundation.errors(foundation.encode(pixels), foundation.condition(batch.content_prompts))
    (kept,) = hidden
    frames = 32 if foundation.draws_films else 4
    places = kept.shape[1] if kept.ndim == 3 else kept.shape[2] * kept.shape[3]
    assert (len(kept), places) == (frames, 64)
    method = TextToImage(foundation, alignment=alignment)
    method.start("films" if foundation.draws_films else "easy")
    losses = method.losses(batch)
    assert set(losses) == {"denoising", "alignment"}
    losses["alignment"].backward()
    reached = [p for p in foundation.denoiser.parameters() if p.grad is not None and p.grad.abs().sum() > 0]
    assert reached, "the loss must teach the denoiser, not the projection alone"
    assert all(p.grad is None for p in teacher.parameters())


def test_image_tokens_of_flux_are_compared_and_not_those_of_the_text(teacher: Siglip) -> None:
    alignment = Alignment(teacher, "block", 4)

    class Denoiser(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.block = nn.Identity()

    denoiser, text, image = Denoiser(), torch.zeros(1, 3, 4), torch.ones(1, 64, 4)
    with alignment.watch(denoiser) as hidden:
        denoiser.block((text, image))
    assert torch.equal(hidden[0], image)
    denoiser.block((text, image))
    assert len(hidden) == 1, "nothing is kept once the context is left"


def test_the_projection_learns_and_the_teacher_does_not(teacher: Siglip) -> None:
    foundation = StableDiffusion("mini_sd", random_weights=True)
    method = TextToImage(foundation, alignment=Alignment(teacher, "up_blocks.1", 64))
    method.start("pretrain")
    of_alignment = {name for name in method.learned if name.startswith("alignment")}
    assert of_alignment == {f"alignment.projection.{i}.{kind}" for i in (0, 2) for kind in ("weight", "bias")}


def test_clip_can_teach_too_and_the_loss_is_weighted() -> None:
    alignment = Alignment(Clip("mini_clip"), "up_blocks.1", 64, weight=0.25)
    hidden, images = torch.randn(2, 64, 8, 8), torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        projected = alignment.projection(hidden.permute(0, 2, 3, 1))
        seen = alignment.teacher.patch_tokens(images).view(2, 8, 8, -1)
        torch.testing.assert_close(alignment.loss(hidden, images), 0.25 * misalignment(projected, seen))


def test_a_wrong_layer_or_width_is_refused_with_what_to_set(teacher: Siglip) -> None:
    foundation = StableDiffusion("mini_sd", random_weights=True)
    with (
        pytest.raises(ConfigError, match=r"no module 'middle'.*such as down_blocks\.0"),
        Alignment(teacher, "middle", 64).watch(foundation.denoiser),
    ):
        pass
    with pytest.raises(ConfigError, match=r"has 32 channels: set alignment\.width"):
        Alignment(teacher, "up_blocks.1", 64).loss(torch.randn(1, 32, 8, 8), torch.rand(1, 3, 64, 64))
    with pytest.raises(ConfigError, match="65 tokens are no square"):
        Alignment(teacher, "up_blocks.1", 64).loss(torch.randn(1, 65, 64), torch.rand(1, 3, 64, 64))
