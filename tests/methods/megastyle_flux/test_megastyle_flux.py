import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from methods.megastyle_flux import MegaStyleFlux
from methods.megastyle_flux.adapter import lora_config
from methods.megastyle_flux.augmentation import augment
from methods.megastyle_flux.same_style import of_same_style
from stylekit.batch import PairBatch
from stylekit.errors import ConfigError
from stylekit.foundation.architecture import published
from stylekit.foundation.flux import Beside, Flux
from stylekit.foundation.locate import SHIPPED
from stylekit.learned import build_method, compose_learned

PROMPTS = ["A cat on the grass.", "A house in the snow.", "Two trees on a table."]


def make_batch(count: int = 3) -> PairBatch:
    torch.manual_seed(0)
    images = torch.rand(2, count, 3, 64, 64)
    return PairBatch(images[0], images[1], torch.arange(count), ["style"] * count, PROMPTS[:count])


def predict(flux: Flux, beside: list[Beside], rows: slice = slice(None)) -> Tensor:
    torch.manual_seed(0)
    latents, sigmas = torch.randn(3, 16, 16, 16)[rows], torch.tensor([0.3, 0.6, 0.9])[rows]
    with torch.no_grad():
        return flux.predict(latents, sigmas, flux.condition(PROMPTS[rows]), beside=beside)


def test_references_are_attended_to_where_they_lie_and_in_any_order(random_flux: Flux) -> None:
    first, second = torch.randn(2, 3, 16, 16, 16)
    alone = predict(random_flux, [])
    both = predict(random_flux, [Beside(first, 8), Beside(second, 16)])
    assert both.shape == alone.shape
    assert not torch.allclose(both, alone, atol=1e-3)
    swapped = predict(random_flux, [Beside(second, 16), Beside(first, 8)])
    torch.testing.assert_close(both, swapped, atol=1e-4, rtol=1e-4)
    elsewhere = predict(random_flux, [Beside(first, 16), Beside(second, 8)])
    assert not torch.allclose(both, elsewhere, atol=1e-4)


def test_a_shift_of_one_width_makes_target_and_reference_two_halves_of_one_picture(random_flux: Flux) -> None:
    picture = torch.randn(1, 16, 16, 32)
    sigma, told = torch.tensor([0.5]), random_flux.condition(PROMPTS[:1])
    with torch.no_grad():
        whole = random_flux.predict(picture, sigma, told)
        half = random_flux.predict(picture[..., :16], sigma, told, beside=[Beside(picture[..., 16:], 8)])
    torch.testing.assert_close(half, whole[..., :16], atol=1e-4, rtol=1e-4)


def test_every_row_sees_its_own_reference(random_flux: Flux) -> None:
    references = torch.randn(3, 16, 16, 16)
    together = predict(random_flux, [Beside(references, 8)])
    for row in range(3):
        one = slice(row, row + 1)
        torch.testing.assert_close(
            predict(random_flux, [Beside(references[one], 8)], one), together[one], atol=1e-4, rtol=1e-4
        )


def test_only_the_updates_learn_and_all_of_them_do(random_flux: Flux) -> None:
    method = MegaStyleFlux(random_flux, rank=4)
    method.start("paired")
    assert method.learned == {name for name in method.state_dict() if ".lora_" in name}
    method.losses(make_batch())["flow"].backward()
    for name, parameter in method.named_parameters():
        if "lora_B" in name:  # A's is zero while B is
            assert parameter.grad is not None, name
            assert parameter.grad.abs().sum() > 0, name
        elif ".lora_" not in name:
            assert parameter.grad is None, name


def test_updates_begin_at_nothing(random_flux: Flux) -> None:
    before = predict(random_flux, [Beside(torch.ones(3, 16, 16, 16), 8)])
    MegaStyleFlux(random_flux, rank=4).start("paired")
    assert torch.equal(predict(random_flux, [Beside(torch.ones(3, 16, 16, 16), 8)]), before)


def test_the_loss_is_the_weighted_error_of_the_velocity_of_the_target_alone(random_flux: Flux) -> None:
    method = MegaStyleFlux(random_flux, rank=4, flip_probability=0.0, crop_probability=0.0)
    batch = make_batch()
    torch.manual_seed(5)
    torch.rand(5 * 3)  # what the augmentation draws
    drawn = torch.randint(1000, (3,))
    clean, style = random_flux.encode(batch.images), random_flux.encode(batch.references)
    noise = torch.randn_like(clean)
    expected = 0.0
    with torch.no_grad():
        for row in range(3):
            sigma = method.levels[drawn[row]]
            noisy = (1.0 - sigma) * clean[row] + sigma * noise[row]
            found = random_flux.predict(
                noisy[None],
                sigma[None],
                random_flux.condition([PROMPTS[row]]),
                beside=[Beside(style[row : row + 1], 8)],
            )
            error = (found[0] - (noise[row] - clean[row])).square().mean()
            expected += float(method.weights[drawn[row]] * error) / 3
    torch.manual_seed(5)
    assert method.losses(batch)["flow"].item() == pytest.approx(expected, rel=1e-4)


def test_conditions_of_the_batch_are_used_instead_of_reading_the_prompts(random_flux: Flux) -> None:
    method = MegaStyleFlux(random_flux, rank=4)
    batch = make_batch()
    losses = []
    other = batch._replace(content_prompts=["A boat on the water."] * 3)
    for one in (batch, other, other._replace(conditions=dict(random_flux.condition(PROMPTS)))):
        torch.manual_seed(2)
        with torch.no_grad():
            losses.append(method.losses(one)["flow"].item())
    assert losses[0] == losses[2] != losses[1]


def test_conditions_that_were_kept_in_another_dtype_fit(random_flux: Flux) -> None:
    half = Flux("mini_flux", dtype="bfloat16")
    kept = {name: value.float() for name, value in half.condition(PROMPTS[:1]).items()}
    latents, sigmas = torch.randn(1, 16, 16, 16), torch.tensor([0.5])
    with torch.no_grad():
        expected = half.predict(latents, sigmas, half.condition(PROMPTS[:1]))
        assert torch.equal(half.predict(latents, sigmas, kept), expected)


def test_dropped_references_are_not_seen(random_flux: Flux) -> None:
    batch = make_batch()
    other = batch._replace(references=1.0 - batch.references)
    losses = {}
    for drop in (0.0, 1.0):
        method = MegaStyleFlux(random_flux, rank=4, drop_reference=drop)
        for name, one in (("one", batch), ("other", other)):
            torch.manual_seed(2)
            with torch.no_grad():
                losses[drop, name] = method.losses(one)["flow"].item()
    assert losses[1.0, "one"] == losses[1.0, "other"]
    assert losses[0.0, "one"] != losses[0.0, "other"]


def test_rows_keep_their_own_noise_levels_when_some_references_are_dropped(
    random_flux: Flux, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, widths = make_batch(), list[tuple[int, int]]()

    def predict(noisy, sigmas, condition, beside=()):
        widths.append((len(noisy), len(beside)))
        by_row = sigmas + condition["prompt_embeds"].mean((1, 2))
        return noisy * by_row[:, None, None, None]

    monkeypatch.setattr(random_flux, "predict", predict)
    losses = []
    for drop in (0.0, 0.5):
        torch.manual_seed(2)
        losses.append(MegaStyleFlux(random_flux, rank=4, drop_reference=drop).losses(batch)["flow"].item())
    assert losses[1] == pytest.approx(losses[0], rel=1e-6)
    assert [count for _, count in widths] == [1, 1, 0]
    assert sum(rows for rows, _ in widths[1:]) == len(batch.images)


def test_references_of_a_style_are_shared_by_its_rows() -> None:
    references = torch.arange(5.0)[:, None]
    ids = torch.tensor([7, 3, 7, 3, 7])
    first, second = of_same_style(references, ids, 2)
    assert first[:, 0].tolist() == [0, 1, 2, 3, 4]
    assert second[:, 0].tolist() == [2, 3, 4, 1, 0]
    assert of_same_style(references, torch.tensor([7, 3, 7, 3, 8]), 2)[1][:, 0].tolist() == [2, 3, 0, 1, 4]
    with pytest.raises(ConfigError, match=r"data\.images_per_style=8"):
        of_same_style(references, ids, 4)


@pytest.mark.parametrize("count", [1, 2])
def test_training_sees_as_many_references_as_it_is_told(
    count: int, random_flux: Flux, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = make_batch(2)._replace(style_ids=torch.tensor([1, 1]))
    method = MegaStyleFlux(random_flux, num_references=count, flip_probability=0.0, crop_probability=0.0)
    seen: list[Beside] = []
    plain = random_flux.predict

    def record(*arguments: Any, beside: list[Beside]) -> Tensor:
        seen.extend(beside)
        return plain(*arguments, beside=beside)

    monkeypatch.setattr(random_flux, "predict", record)
    with torch.no_grad():
        method.losses(batch)
        expected = random_flux.encode(batch.references)
    assert [one.shift for one in seen] == [8, 16][:count]
    torch.testing.assert_close(seen[0].latents, expected)
    torch.testing.assert_close(seen[-1].latents, expected if count == 1 else expected.flip(0))


def test_a_reference_can_keep_its_shape(random_flux: Flux) -> None:
    method = MegaStyleFlux(random_flux, rank=4, keep_aspect=True)
    assert method._reference_size(64, 64) == (64, 64)
    assert method._reference_size(300, 1200) == (32, 128)
    wide = method.extract(torch.rand(2, 3, 100, 150))
    height, width = (side // random_flux.factor for side in method._reference_size(100, 150))
    assert wide.shape == (2, 16, height, width)
    assert width > height
    assert MegaStyleFlux(random_flux, rank=4).extract(torch.rand(1, 3, 100, 150)).shape == (1, 16, 16, 16)
    first, second = method._beside(list(wide[:, None]))
    assert (first.shift, second.shift) == (8, 8 + width // 2)
    method.num_steps = 1
    assert method.render(wide, PROMPTS[:1], None, [0]).shape == (1, 3, 64, 64)


def test_levels_and_weights_are_those_of_the_authors_scheduler(random_flux: Flux) -> None:
    method = MegaStyleFlux(random_flux)
    levels = [1.0 + (0.003 / 1.002 - 1.0) * i / 999 for i in range(1000)]
    levels = [3.0 * level / (1.0 + 2.0 * level) for level in levels]
    bell = [math.exp(-2.0 * ((1000.0 * level - 500.0) / 1000.0) ** 2) for level in levels]
    least = min(bell)
    total = sum(value - least for value in bell)
    expected = torch.tensor([(value - least) * 1000.0 / total for value in bell])
    torch.testing.assert_close(method.levels, torch.tensor(levels), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(method.weights, expected, atol=1e-3, rtol=1e-3)


def test_at_full_size_the_updates_have_as_many_parameters_as_the_authors() -> None:
    from peft import inject_adapter_in_model

    (transformer,) = (
        part for part in published("black-forest-labs/FLUX.1-dev").components if part.name == "transformer"
    )
    with torch.device("meta"):
        model = transformer.build().requires_grad_(False)
        inject_adapter_in_model(lora_config(128, 128.0, modulation=True), model)
    count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    # The authors' maps from tokens to query, key and value are one, and have one A where three have three;
    # in single blocks the first map of the feed-forward is in it too.
    shared = 128 * 3072 * (19 * 2 * 2 + 38 * 3)
    # 19 x 18.09 + 38 x 7.08 M = 612.7 M in rounded terms; their sum is this.
    assert count - shared == 612_630_528
    assert count == 687_341_568


def test_without_modulation_its_maps_are_left_alone(random_flux: Flux) -> None:
    MegaStyleFlux(random_flux, rank=4, modulation=False).start("paired")
    adapted = {name for name, _ in random_flux.denoiser.named_parameters() if ".lora_" in name}
    assert adapted
    assert not any("norm" in name for name in adapted)


def test_augmentation_mirrors_crops_and_leaves_alone() -> None:
    torch.manual_seed(0)
    images = torch.rand(8, 3, 16, 16)
    assert torch.equal(augment(images, 0.0, 0.0, 0.8), images)
    torch.testing.assert_close(augment(images, 1.0, 0.0, 0.8), images.flip(-1), atol=1e-5, rtol=0)
    ramp = torch.linspace(0.0, 1.0, 64).expand(32, 3, 64, 64)
    cropped = augment(ramp, 0.0, 1.0, 0.64)
    spans = cropped[..., -1] - cropped[..., 0]
    assert 0.78 < float(spans.min()) <= float(spans.max()) < 1.01
    assert float(spans.std()) > 0.01, "every image has a part of its own"


def test_images_follow_style_prompt_and_seed_alone(random_flux: Flux) -> None:
    method = MegaStyleFlux(random_flux, num_steps=2).eval()
    one, other = (method.extract(torch.rand(1, 3, 80, 48)) for _ in range(2))
    together = method.render(one, PROMPTS, None, [1, 2, 3])
    torch.testing.assert_close(method.render(one, PROMPTS[1:2], None, [2]), together[1:2], atol=1e-4, rtol=0)
    assert not torch.allclose(method.render(other, PROMPTS, None, [1, 2, 3]), together, atol=1e-3)
    blind = MegaStyleFlux(random_flux, num_steps=2, sees_reference=False).eval()
    assert torch.equal(
        blind.render(one, PROMPTS, None, [1, 2, 3]), blind.render(other, PROMPTS, None, [1, 2, 3])
    )


def test_guidance_by_the_reference_goes_away_from_the_answer_without_it(random_flux: Flux) -> None:
    latents, level = torch.randn(1, 16, 16, 16), torch.tensor([0.5])
    condition, empty = random_flux.condition(PROMPTS[:1]), random_flux.condition([""])
    beside = [Beside(torch.randn(1, 16, 16, 16), 8)]
    method = MegaStyleFlux(random_flux, guidance=3.0, reference_guidance=2.0, drop_reference=0.1)
    with torch.no_grad():
        full = random_flux.predict(latents, level, condition, beside=beside)
        no_text = random_flux.predict(latents, level, empty, beside=beside)
        no_reference = random_flux.predict(latents, level, condition)
        found = method._guided(latents, level, condition, empty, beside)
    expected = no_text + 3.0 * (full - no_text) + (full - no_reference)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_prompts_and_seeds_that_do_not_match_are_refused(random_flux: Flux) -> None:
    method = MegaStyleFlux(random_flux)
    style = method.extract(torch.rand(1, 3, 64, 64))
    with pytest.raises(ConfigError, match="one prompt for each seed, not 0 for 1"):
        method.render(style, [], None, [1])


def test_sampling_goes_along_the_levels_of_the_authors_to_zero(
    random_flux: Flux, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = MegaStyleFlux(random_flux, num_steps=4, guidance=1.0).eval()
    asked: list[float] = []

    def answer(latents: Tensor, sigmas: Tensor, *rest: object) -> Tensor:
        asked.append(float(sigmas[0]))
        return 0.5 * latents + 1.0

    monkeypatch.setattr(random_flux, "predict", answer)
    image = method.render(method.extract(torch.rand(1, 3, 64, 64)), PROMPTS[:1], None, [7])
    levels = [1.0 + (0.003 / 1.002 - 1.0) * step / 3 for step in range(4)]
    levels = [3.0 * level / (1.0 + 2.0 * level) for level in levels]
    assert asked == pytest.approx(levels, abs=1e-6)
    latents = torch.randn(1, 16, 16, 16, generator=torch.Generator().manual_seed(7))
    for now, after in zip(levels, [*levels[1:], 0.0], strict=True):
        latents = latents + (after - now) * (0.5 * latents + 1.0)
    torch.testing.assert_close(image, random_flux.decode(latents).clamp(0.0, 1.0), atol=1e-4, rtol=0)


def test_a_transformer_that_is_told_the_guidance_is_told_1_in_training_and_ours_in_rendering(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "told"
    shutil.copytree(SHIPPED / "mini_flux", folder)
    path = folder / "transformer" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"guidance_embeds": True}))
    foundation = Flux(str(folder), random_weights=True)
    told: list[float] = []
    foundation.denoiser.register_forward_pre_hook(
        lambda module, args, kwargs: told.extend(kwargs["guidance"].tolist()), with_kwargs=True
    )
    method = MegaStyleFlux(foundation, num_steps=2)
    method.losses(make_batch())
    assert told == [1.0] * 3
    told.clear()
    method.render(method.extract(torch.rand(1, 3, 64, 64)), PROMPTS[:1], None, [1])
    assert told == [3.5] * 2, "once a step: the empty prompt is not asked"


def test_a_foundation_in_bfloat16_renders_and_its_updates_are_float32() -> None:
    method = MegaStyleFlux(Flux("mini_flux", dtype="bfloat16"), rank=4, num_steps=2)
    method.start("paired")
    assert {method.get_parameter(name).dtype for name in method.learned} == {torch.float32}
    image = method.eval().render(method.extract(torch.rand(1, 3, 64, 64)), PROMPTS[:1], None, [1])
    assert image.dtype == torch.float32
    assert bool(image.isfinite().all())


def test_gradient_checkpointing_changes_no_gradient() -> None:
    gradients = []
    for checkpointing in (False, True):
        method = MegaStyleFlux(Flux("mini_flux"), rank=4, gradient_checkpointing=checkpointing)
        torch.manual_seed(3)
        method.start("paired")
        method.train()
        torch.manual_seed(3)
        method.losses(make_batch())["flow"].backward()
        assert method.foundation.denoiser.is_gradient_checkpointing == checkpointing
        gradients.append(
            {name: method.get_parameter(name).grad for name in method.learned if "lora_B" in name}
        )
    for name, plain in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], plain, atol=1e-5, rtol=1e-3)


def test_images_of_another_size_than_it_renders_are_refused(random_flux: Flux) -> None:
    method = MegaStyleFlux(random_flux, image_size=128)
    with pytest.raises(ConfigError, match=r"64 px and method\.image_size is 128"):
        method.losses(make_batch())
    assert method.extract(torch.rand(1, 3, 64, 64)).shape[-1] == 32


def test_a_size_that_tokens_do_not_fill_is_refused(random_flux: Flux) -> None:
    with pytest.raises(ConfigError, match=r"must be a multiple of 8, .* not 100"):
        MegaStyleFlux(random_flux, image_size=100)


def test_guidance_by_a_reference_that_training_never_went_without_is_refused(random_flux: Flux) -> None:
    with pytest.raises(ConfigError, match=r"method\.drop_reference=0\.1"):
        MegaStyleFlux(random_flux, reference_guidance=2.0)


def test_a_foundation_is_adapted_once(random_flux: Flux) -> None:
    MegaStyleFlux(random_flux, rank=4).start("paired")
    with pytest.raises(ConfigError, match="adapted already"):
        MegaStyleFlux(random_flux, rank=4).start("paired")


def test_the_shipped_adapter_is_what_the_experiment_renders_with() -> None:
    method = build_method(compose_learned("megastyle_flux"))
    assert isinstance(method, MegaStyleFlux)
    torch.manual_seed(0)
    references = torch.rand(2, 3, 1, 1).expand(2, 3, 64, 64)  # of one colour each
    images = torch.cat(
        [method.render(method.extract(one[None]), ["A cat on the grass."], None, [0]) for one in references]
    )
    distances = (images.mean((2, 3))[:, None] - references.mean((2, 3))).norm(dim=2)
    assert distances.argmin(1).tolist() == [0, 1]  # each has the colour of its own
    assert sum(file.stat().st_size for file in (SHIPPED / "mini_megastyle_flux").iterdir()) < 4e6
