import pytest
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image
from transformers import Dinov2Config, Dinov2Model

from methods.stylegallery import StyleGallery
from methods.text_to_image.mini import lay_out as lay_out_mini_sd
from stylekit.atelier import MINI, draw, sample_scenes, sample_styles
from stylekit.config import build as construct
from stylekit.config import compose
from stylekit.errors import ConfigError
from stylekit.foundation.depth import DepthAnything
from stylekit.foundation.dinov2 import Dinov2
from stylekit.foundation.siglip import Siglip
from stylekit.foundation.stable_diffusion import StableDiffusion
from tests.stylekit.foundation.test_depth import lay_out

SEED = 5


@pytest.fixture(scope="module")
def semantics():
    return Siglip("mini_siglip")


@pytest.fixture(scope="module")
def drawings():
    scenes = sample_scenes(3, SEED, split="train", repertoire=MINI)
    return draw(scenes, sample_styles(3, SEED, split="train"), [1, 2, 3])


@pytest.fixture
def build(mini_sd, semantics):
    def make(**settings):
        return StyleGallery(mini_sd, semantics, **({"num_steps": 3, "min_cells": 3} | settings))

    return make


def two_colours():
    """A red left half and a blue right one."""
    image = torch.zeros(1, 3, 64, 64)
    image[:, 0, :, :32] = image[:, 2, :, 32:] = 0.9
    return image


def test_two_colours_are_two_regions(build):
    """What mini_sd sees at the frame and at the seam may be a third."""
    (labels,) = build(max_clusters=4).find_regions(two_colours())
    assert labels.shape == (16, 16)
    left, right = (set(half.flatten().tolist()) for half in (labels[2:14, 2:6], labels[2:14, 10:14]))
    assert len(left) == len(right) == 1
    assert left != right
    assert sum(int((labels == number).sum()) for number in left | right) > 0.55 * labels.numel()
    assert int(labels.max()) <= 3


def test_what_lies_apart_is_a_region_of_its_own_where_asked_for(build):
    image = two_colours()
    image[:, :, :, 48:] = image[:, :, :, :16]  # red again, on the right
    counts = [int(build(max_clusters=2, connected=on).find_regions(image).max()) for on in (False, True)]
    assert counts == [2, 3]


def test_a_range_of_clusters_that_holds_none_is_refused(build):
    with pytest.raises(ConfigError, match="min_clusters=5 is more than"):
        build(min_clusters=5, max_clusters=4)


def test_regions_of_nearly_one_colour_are_one(build):
    (labels,) = build(merge_reach=100.0).find_regions(two_colours())
    assert set(labels.flatten().tolist()) == {1}


def test_every_region_of_a_picture_is_most_like_itself(build, drawings):
    method = build()
    style = method.extract(drawings)
    for index, image in enumerate(drawings):
        _, (explanation,) = method.render_explained(style, [], image[None], [0])
        for match in explanation.facts["matching"]:
            assert match["reference"] == index + 1
            assert match["reference_region"] == match["region"]
            assert match["semantics"] == pytest.approx(1.0, abs=1e-3)


def test_several_references_are_told_apart(build, drawings):
    style = build().extract(drawings)
    counts = [int(labels.max()) for labels in style["labels"]]
    expected = [[index + 1, number + 1] for index, count in enumerate(counts) for number in range(count)]
    assert style["numbers"].tolist() == expected
    assert len(style["circles"]) == len(style["semantics"]) == len(style["statistics"]) == sum(counts)


def test_references_taken_apart_together_are_what_they_are_alone(build, drawings):
    together, method = build().extract(drawings), build()
    alone = [method.extract(image[None]) for image in drawings]
    assert torch.equal(together["labels"], torch.cat([one["labels"] for one in alone]))
    for name in ("latents", "statistics", "semantics", "circles"):
        expected = torch.cat([one[name] for one in alone])
        torch.testing.assert_close(together[name], expected, atol=1e-4, rtol=1e-4)


def test_another_reference_makes_another_image(build, drawings):
    method = build()
    one, other = (method.render(method.extract(image[None]), [], drawings[:1], [0]) for image in drawings[1:])
    assert (one - other).abs().mean() > 0.01


def test_a_matching_of_the_user_is_what_is_done(build, drawings):
    style = build().extract(drawings[1:])
    plain, (explanation,) = build().render_explained(style, [], drawings[:1], [0])
    found = {int(region): tuple(pair) for region, pair in explanation.facts["method.matching"].items()}
    again, _ = build(matching=found).render_explained(style, [], drawings[:1], [0])
    torch.testing.assert_close(again, plain, atol=0, rtol=0)
    first, second = (dict.fromkeys(found, (number, 1)) for number in (1, 2))
    images = [build(matching=table).render(style, [], drawings[:1], [0]) for table in (first, second)]
    assert (images[0] - images[1]).abs().mean() > 0.005
    alone = dict.fromkeys(found, (1, 1))
    of_one = build(matching=alone).render(build().extract(drawings[1:2]), [], drawings[:1], [0])
    torch.testing.assert_close(images[0], of_one, atol=1e-3, rtol=0)  # the other reference plays no part


def test_a_matching_is_understood_as_the_command_line_writes_it():
    config = compose("stylegallery", ["method.matching={1: [2, 3]}"])
    assert construct(config.values["method"]).matching == {1: (2, 3)}


@pytest.mark.parametrize("matching", [{99: (1, 1)}, {1: (9, 1)}, {1: (1, 99)}, {0: (1, 1)}])
def test_a_matching_of_what_is_not_there_says_what_is(build, drawings, matching):
    method = build(matching=matching)
    with pytest.raises(ConfigError, match=r"The content has regions 1 to \d+; references have \[1, 1\]"):
        method.render(method.extract(drawings[1:]), [], drawings[:1], [0])


def test_masks_are_regions_and_black_is_left_alone(build, drawings, tmp_path):
    mask = Image.new("RGB", (64, 64))
    mask.paste((0, 200, 0), (0, 0, 64, 32))
    mask.paste((200, 0, 0), (0, 32, 32, 64))
    mask.save(tmp_path / "mask.png")
    method = build(content_mask=str(tmp_path / "mask.png"), reference_masks=[str(tmp_path / "mask.png")])
    style = method.extract(drawings[1:2])
    expected = torch.zeros(16, 16, dtype=torch.long)
    expected[:8] = 1
    expected[8:, :8] = 2
    assert torch.equal(style["labels"][0], expected)
    _, (explanation,) = method.render_explained(style, [], drawings[:1], [0])
    assert [match["region"] for match in explanation.facts["matching"]] == [1, 2]


def test_a_mask_that_would_lie_askew_or_get_lost_is_refused(build, drawings, tmp_path):
    Image.new("RGB", (64, 32), (9, 9, 9)).save(tmp_path / "wide.png")
    with pytest.raises(ConfigError, match="64 x 32 pixels does not fit an image of 64 x 64"):
        build(reference_masks=[str(tmp_path / "wide.png")]).extract(drawings[:1])
    mask = Image.new("RGB", (64, 64), (9, 9, 9))
    mask.putpixel((1, 1), (200, 0, 0))
    mask.save(tmp_path / "thin.png")
    with pytest.raises(ConfigError, match=r"16 x 16 cells nothing is left of colours \[2\]"):
        build(reference_masks=[str(tmp_path / "thin.png")]).extract(drawings[:1])


def test_images_are_taken_apart_once_and_those_of_a_style_at_once(build, drawings, monkeypatch):
    method = build()
    looked = []
    look = method._onlooker._look
    monkeypatch.setattr(
        method._onlooker, "_look", lambda images, masks: looked.append(len(images)) or look(images, masks)
    )
    style = method.extract(drawings[1:])
    for _ in range(2):
        method.render(style, [], drawings[:1], [0])
    method.extract(drawings[1:])
    assert looked == [2, 1]


def test_as_many_masks_as_references(build, drawings, tmp_path):
    Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / "mask.png")
    with pytest.raises(ConfigError, match="1 pictures for 2 references"):
        build(reference_masks=[str(tmp_path / "mask.png")]).extract(drawings[:2])


def test_an_explanation_shows_regions_matches_and_energies(build, drawings):
    method = build(num_steps=4)
    images, (explanation,) = method.render_explained(method.extract(drawings[1:]), [], drawings[:1], [0])
    names = ["content", "takes its style from", "reference 1", "reference 2"]
    assert list(explanation.pictures) == names
    assert all(picture.shape == (3, 256, 256) for picture in explanation.pictures.values())
    assert explanation.facts["semantics"] == "Siglip"
    assert explanation.facts["depth"].startswith("off")
    assert {len(curve) for curve in explanation.curves.values()} == {4}
    assert torch.equal(images, method.render(method.extract(drawings[1:]), [], drawings[:1], [0]))


def test_processors_are_the_foundations_own_afterwards(build, mini_sd, drawings):
    before = dict(mini_sd.denoiser.attn_processors)
    method = build()
    method.render(method.extract(drawings[1:]), [], drawings[:1], [0])
    assert mini_sd.denoiser.attn_processors == before


def test_depth_parts_what_colours_do_not(mini_sd, semantics, tmp_path, monkeypatch):
    depth = DepthAnything(str(lay_out(tmp_path)), image_size=56)
    slope = torch.linspace(0, 1, 64).expand(1, 64, 64)  # one colour, near on the right
    monkeypatch.setattr(depth, "depth", lambda images: slope)
    grey = torch.full((1, 3, 64, 64), 0.5)
    settings = {"min_cells": 3, "merge_reach": 100.0}
    (flat,) = StyleGallery(mini_sd, semantics, **settings).find_regions(grey)
    (parted,) = StyleGallery(mini_sd, semantics, depth, **settings).find_regions(grey)
    assert sorted(set(flat.flatten().tolist())) == [1]
    assert sorted(set(parted.flatten().tolist())) == [1, 2]
    assert (parted[:, :7] == 1).all()
    assert (parted[:, 9:] == 2).all()


def test_it_works_in_bfloat16_and_with_dinov2(drawings, tmp_path):
    torch.manual_seed(0)
    config = Dinov2Config(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=56)
    Dinov2Model(config).save_pretrained(tmp_path)
    method = StyleGallery(
        StableDiffusion("mini_sd", dtype="bfloat16"), Dinov2(str(tmp_path), image_size=56),
        num_steps=3, min_cells=3,
    )  # fmt: skip
    style = method.extract(drawings[1:])
    assert style["semantics"].shape[1] == 16
    images, (explanation,) = method.render_explained(style, [], drawings[:1], [0])
    assert images.shape == (1, 3, 64, 64)
    assert torch.isfinite(images).all()
    assert explanation.curves["style"][-1] < explanation.curves["style"][0]


def test_the_layout_of_sd_15_is_taken_as_that_of_mini_sd(semantics, drawings, tmp_path):
    """Three layers of self-attention in a block on the way up, four channels of latents of eight pixels."""
    lay_out_mini_sd("mini_sd", tmp_path)
    pipeline = StableDiffusionPipeline.from_pretrained(
        tmp_path,
        unet=UNet2DConditionModel(
            sample_size=16,
            block_out_channels=(32, 32, 64, 64),
            norm_num_groups=16,
            attention_head_dim=4,
            cross_attention_dim=128,
        ),
        vae=AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4,
            block_out_channels=(16,) * 4,
            norm_num_groups=8,
            sample_size=128,
        ),
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            steps_offset=1,
            clip_sample=False,
        ),
        safety_checker=None,
    )
    pipeline.save_pretrained(tmp_path)
    foundation = StableDiffusion(str(tmp_path))
    method = StyleGallery(foundation, semantics, num_steps=2, inversion_steps=2, max_clusters=3, min_cells=2)
    assert (foundation.image_size, foundation.factor) == (128, 8)
    assert list(method.layers) == [
        f"up_blocks.{block}.attentions.{place}.transformer_blocks.0.attn1"
        for block in (2, 3)
        for place in range(3)
    ]
    style = method.extract(drawings[1:])
    assert style["latents"].shape == (2, 4, 16, 16)
    images, (explanation,) = method.render_explained(style, [], drawings[:1], [0])
    assert images.shape == (1, 3, 128, 128)
    assert images.isfinite().all()
    assert len(explanation.curves["style"]) == 2
    assert explanation.curves["style"][0] > 0.0
