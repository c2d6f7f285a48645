import shutil
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from transformers import CLIPImageProcessor, CLIPModel

from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.clip import Clip
from stylekit.foundation.siglip import Siglip

KEY = "text_model.final_layer_norm.bias"


def test_embeddings_are_those_of_transformers(tiny_clip: Path) -> None:
    clip, model = Clip(str(tiny_clip)), CLIPModel.from_pretrained(tiny_clip)
    torch.manual_seed(0)
    images, texts = torch.rand(3, 3, 32, 32), ["A cat on the grass.", "", "a large dog"]
    tokens = clip.tokenizer(texts, padding="max_length", return_tensors="pt")
    found = model(pixel_values=clip.prepare(images), **tokens)
    torch.testing.assert_close(clip.embed_images(images), found.image_embeds)
    torch.testing.assert_close(clip.embed_texts(texts), found.text_embeds)
    torch.testing.assert_close(clip.scale, model.logit_scale.exp())


def test_pixels_are_prepared_as_by_clip(tiny_clip: Path) -> None:
    torch.manual_seed(0)
    smooth = F.interpolate(torch.rand(2, 3, 6, 9), (64, 96), mode="bicubic").clamp(0, 1)
    pixels = (smooth * 255).round().to(torch.uint8)
    processor = CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32})
    expected = processor([image.permute(1, 2, 0).numpy() for image in pixels], return_tensors="pt")
    found = Clip(str(tiny_clip)).prepare(pixels / 255.0)
    torch.testing.assert_close(found, expected["pixel_values"], atol=0.02, rtol=0)


def test_patches_are_rows_of_the_image_and_can_be_held_against_texts(tiny_clip: Path) -> None:
    clip = Clip(str(tiny_clip))
    torch.manual_seed(0)
    images = torch.rand(2, 3, 32, 32)
    tokens = clip.patch_tokens(images)
    assert tokens.shape == (2, 16, 32)
    changed = images.clone()
    changed[:, :, 8:16, 24:32] = 1.0  # second row, fourth patch
    difference = (clip.patch_tokens(changed) - tokens).norm(dim=2)
    assert difference.argmax(dim=1).tolist() == [7, 7]
    projected = clip.project_patches(tokens)
    torch.testing.assert_close(projected.norm(dim=2), torch.ones(2, 16))
    # The class token goes the same way, to the embedding of the image.
    states = clip.vision(pixel_values=clip.prepare(images)).last_hidden_state
    torch.testing.assert_close(clip.project_patches(states)[:, 0], clip.embed_images(images))


def test_long_texts_are_cut_at_what_the_tower_reads(tiny_clip: Path) -> None:
    clip = Clip(str(tiny_clip))
    long = "a cat " * 40
    torch.testing.assert_close(clip.embed_texts([long]), clip.embed_texts([long + "a dog"]))


def test_saved_in_half_precision_it_loads_again(tiny_clip: Path, tmp_path: Path) -> None:
    clip = Clip(str(tiny_clip), random_weights=True, seed=1)
    images, texts = torch.rand(2, 3, 32, 32), ["A cat on the grass.", "A dog."]
    before = clip.embed_images(images), clip.embed_texts(texts)
    clip.save(tmp_path, torch.float16)
    assert load_file(tmp_path / "model.safetensors")["logit_scale"].dtype == torch.float16
    loaded = Clip(str(tmp_path))
    assert next(loaded.model.parameters()).dtype == torch.float32
    torch.testing.assert_close(loaded.embed_images(images), before[0], atol=5e-3, rtol=0)
    torch.testing.assert_close(loaded.embed_texts(texts), before[1], atol=5e-3, rtol=0)


def test_random_weights_follow_the_seed(tiny_clip: Path) -> None:
    images = torch.rand(2, 3, 32, 32)
    first, same, other = (
        Clip(str(tiny_clip), random_weights=True, seed=seed).embed_images(images) for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.allclose(first, other)


def test_image_tower_begins_as_that_of_a_siglip(tiny_clip: Path, tiny_siglip: Path) -> None:
    siglip = Siglip(str(tiny_siglip)).vision
    clip = Clip(str(tiny_clip), random_weights=True, image_tower=str(tiny_siglip))
    torch.manual_seed(0)
    images = torch.rand(2, 3, 32, 32)
    embedded = clip.vision.embeddings(clip.prepare(images))[:, 1:]
    expected = siglip.embeddings(images * 2.0 - 1.0)
    torch.testing.assert_close(embedded, expected, atol=1e-5, rtol=1e-4)
    for own, other in zip(clip.vision.encoder.layers, siglip.encoder.layers, strict=True):
        for name, weight in other.named_parameters():
            assert torch.equal(own.get_parameter(name), weight)


def test_image_tower_of_other_widths_is_refused(tiny_clip: Path) -> None:
    with pytest.raises(ConfigError, match="other layers or widths"):
        Clip(str(tiny_clip), random_weights=True, image_tower="mini_siglip")
    with pytest.raises(ConfigError, match="set random_weights too"):
        Clip(str(tiny_clip), image_tower="mini_siglip")


def test_weights_that_do_not_fit_are_refused_by_name(tiny_clip: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_clip, tmp_path / "copy"))
    weights = load_file(folder / "model.safetensors")
    weights.pop(KEY)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=f"not a CLIP checkpoint.*{KEY}"):
        Clip(str(folder))


def test_missing_tokenizer_is_explained(tiny_clip: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_clip, tmp_path / "copy"))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(MissingError, match=r"lacks the tokenizer.*; what is there knows 2"):
        Clip(str(folder))
