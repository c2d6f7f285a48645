from __future__ import annotations

import io
import pickle
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from stylekit.curation.captioning import ContentInstruction, Query, Subject
from stylekit.curation.captioning.blip import Blip
from stylekit.curation.captioning.vision_language import VisionLanguage
from stylekit.curation.failure import Failure
from stylekit.errors import ConfigError, MissingError

(QUESTION,) = ContentInstruction().questions


def noise(seed, height=48, width=64):
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    packed = io.BytesIO()
    Image.fromarray(pixels).save(packed, "PNG")
    return packed.getvalue()


def flat(colour):
    packed = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(packed, "PNG")
    return packed.getvalue()


QUERIES = [
    Query(Subject("a", noise(0)), QUESTION),
    Query(Subject("broken", b"no image"), QUESTION),
    Query(Subject("b", noise(1, 64, 40)), QUESTION, "Your last answer was: 'x'."),
    Query(Subject("c", noise(2, 400, 40)), QUESTION),
]


@pytest.mark.parametrize(("kind", "weights"), [(VisionLanguage, "tiny_qwen"), (Blip, "tiny_blip")])
def test_answers_do_not_depend_on_the_batch(kind, weights, request):
    folder = str(request.getfixturevalue(weights))
    captioner = kind(folder, dtype="float32", batch_size=4, max_tokens=12)
    together = captioner.answer(QUERIES)
    assert together[1] == Failure("broken image", "not an image of a known format")
    answers = [answer for answer in together if isinstance(answer, str)]
    assert len(answers) == 3
    assert all(answers)
    again = pickle.loads(pickle.dumps(captioner))
    assert [again.answer([query])[0] for query in reversed(QUERIES)] == together[::-1]
    assert again.answer(QUERIES[1:2]) == together[1:2]


def test_the_model_sees_image_and_text(tiny_qwen):
    """Its answer is what the model writes after the chat with both, decoded greedily."""
    from transformers import AutoModelForImageTextToText, AutoTokenizer, Qwen2VLImageProcessorPil

    captioner = VisionLanguage(str(tiny_qwen), dtype="float32", max_tokens=5)
    (answer,) = captioner.answer(QUERIES[2:3])
    model = AutoModelForImageTextToText.from_pretrained(tiny_qwen, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(tiny_qwen)
    images = Qwen2VLImageProcessorPil.from_pretrained(tiny_qwen)
    seen = images(Image.open(io.BytesIO(QUERIES[2].subject.image)), return_tensors="pt")
    places = int(seen.image_grid_thw.prod()) // 4
    said = f"{QUESTION.text}\n\nYour last answer was: 'x'."
    chat = (
        f"<|im_start|>user\n<|vision_start|>{'<|image_pad|>' * places}<|vision_end|>{said}<|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    tokens = tokenizer(chat, return_tensors="pt").input_ids
    start = tokens.shape[1]
    for _ in range(5):
        kinds = (tokens == model.config.image_token_id).int()
        with torch.no_grad():
            scores = model(input_ids=tokens, mm_token_type_ids=kinds, use_cache=False, **seen).logits
        tokens = torch.cat([tokens, scores[:, -1].argmax(-1, keepdim=True)], 1)
    assert answer == tokenizer.decode(tokens[0, start:], skip_special_tokens=True)


def test_other_images_and_other_words_get_other_answers(tiny_qwen):
    captioner = VisionLanguage(str(tiny_qwen), dtype="float32", max_tokens=24)
    words = [Query(Subject("a", noise(0)), QUESTION, f"{'Think again. ' * count}") for count in range(3)]
    images = [
        Query(Subject("a", flat(colour)), QUESTION) for colour in ("black", "white", "red", "green", "blue")
    ]
    assert len(set(captioner.answer(words))) > 1
    assert len(set(captioner.answer(images))) > 1


def test_its_files_are_those_of_a_folder(tiny_blip):
    assert tiny_blip / "model.safetensors" in Blip(str(tiny_blip)).files()
    assert Blip("owner/name").files() == []


def test_weights_that_are_not_there_are_explained():
    captioner = VisionLanguage("nobody/no-such-model")
    with pytest.raises(
        MissingError, match=r"captioner.name_or_path to the folder, .*\(captioner=atelier_truth\)"
    ):
        captioner.answer(QUERIES[:1])


def test_a_model_that_sees_nothing_is_refused():
    with pytest.raises(ConfigError, match="is a clip checkpoint: it reads no images with a text"):
        VisionLanguage("mini_clip").answer(QUERIES[:1])
    with pytest.raises(ConfigError, match="is no checkpoint that transformers can read"):
        VisionLanguage("mini_vae").answer(QUERIES[:1])


def test_a_model_with_missing_weights_is_refused(tiny_blip, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_blip, tmp_path / "blip")
    weights = load_file(folder / "model.safetensors")
    weights.pop("vision_model.post_layernorm.weight")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ConfigError, match="lacks weights of a BlipForConditionalGeneration"):
        Blip(str(folder)).answer(QUERIES[:1])
