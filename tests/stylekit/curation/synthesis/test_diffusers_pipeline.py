from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from stylekit.atelier import MINI, sample_style
from stylekit.config import build, config_dirs
from stylekit.config.document import read_document
from stylekit.curation.failure import Failure
from stylekit.curation.synthesis.diffusers_pipeline import DiffusersPipeline
from stylekit.errors import ConfigError, MissingError

SETTINGS = {
    "num_inference_steps": 3,
    "true_cfg_scale": 4.0,
    "negative_prompt": " ",
    "height": 32,
    "width": 32,
}
PROMPTS = ["A dog", "A cat in a very long and winding house of stones, seen from above", "A dog"]
SEEDS = [5, 6, 7]


def tiny(folder, **settings):
    return DiffusersPipeline(str(folder), dtype="float32", settings={**SETTINGS, **settings})


def as_numbers(images):
    return np.stack([np.asarray(image, dtype=np.int64) for image in images])


def test_its_files_are_those_of_a_folder(tiny_qwen_image):
    assert tiny_qwen_image / "model_index.json" in tiny(tiny_qwen_image).files()
    assert DiffusersPipeline("owner/name").files() == []


def test_an_item_has_the_same_pixels_in_any_batch(tiny_qwen_image):
    """Up to one step of 1/255, where a rounding error tips it; prompts of other lengths are padded alike."""
    generator = tiny(tiny_qwen_image)
    together = as_numbers(generator.draw(PROMPTS, SEEDS))
    assert together.shape == (3, 32, 32, 3)
    again = pickle.loads(pickle.dumps(generator))
    again.batch_size = 1
    alone = as_numbers(again.draw(PROMPTS[::-1], SEEDS[::-1]))[::-1]
    assert abs(together - alone).max() <= 1
    assert abs(together[0] - together[2]).mean() > 10  # the same prompt, another seed


def test_the_images_are_those_of_the_pipeline(tiny_qwen_image):
    from diffusers import QwenImagePipeline

    pipeline = QwenImagePipeline.from_pretrained(tiny_qwen_image)
    pipeline.set_progress_bar_config(disable=True)
    wanted = pipeline(PROMPTS[1], generator=torch.Generator().manual_seed(6), output_type="np", **SETTINGS)
    made = as_numbers(tiny(tiny_qwen_image).draw(PROMPTS[1:2], [6]))
    assert abs(made - (wanted.images.clip(0, 1) * 255)).max() <= 1


def test_the_negative_prompt_counts(tiny_qwen_image):
    first, other = (
        as_numbers(tiny(tiny_qwen_image, true_cfg_scale=scale).draw(PROMPTS[:1], [5]))
        for scale in (4.0, 40.0)
    )
    assert (first != other).any()


def test_a_shipped_foundation_draws_as_it_does_elsewhere():
    (own,) = [one.path for one in config_dirs() if one.origin == "stylekit"]
    generator = build(read_document(own / "generator" / "mini_flux.yaml").values)
    foundation = build(read_document(own / "foundation" / "mini_flux.yaml").values)
    generator.settings["num_inference_steps"] = foundation.num_steps = 3
    prompt = f"{MINI.sample_scene(0).prompt()} {sample_style(0).prompt()}"
    wanted = foundation.generate([prompt], [4])[0].permute(1, 2, 0)
    assert abs(as_numbers(generator.draw([prompt], [4]))[0] - (255 * wanted).numpy()).max() <= 1


def test_settings_that_the_pipeline_does_not_take_are_named(tiny_qwen_image):
    with pytest.raises(
        ConfigError, match=r"QwenImagePipeline takes no steps\. It takes negative_prompt, true_cfg"
    ):
        tiny(tiny_qwen_image, steps=3).draw(PROMPTS[:1], [0])


def test_weights_that_are_not_there_are_explained():
    with pytest.raises(
        MissingError, match=r"set generator.name_or_path to the folder, .*\(generator=atelier_drawings\)"
    ):
        DiffusersPipeline("nobody/no-such-model").draw(PROMPTS[:1], [0])


def test_images_that_are_none_are_failures():
    pixels = np.full((3, 8, 8, 3), 0.5, dtype=np.float32)
    pixels[1] = np.nan
    generator = DiffusersPipeline("mini_flux")
    generator._pipeline = lambda **_: SimpleNamespace(
        images=pixels, nsfw_content_detected=[False, False, True]
    )
    good, broken, flagged = generator.draw(PROMPTS, SEEDS)
    assert good.getpixel((0, 0)) == (128, 128, 128)
    assert isinstance(broken, Failure)
    assert broken.reason == "not finite"
    assert flagged == Failure("flagged by the safety checker", "The pipeline blacked the image out.")
