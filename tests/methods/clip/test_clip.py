from pathlib import Path

import pytest
import torch

from methods.clip import CLIP
from methods.clip.softmax import softmax_contrast
from stylekit.batch import StyleBatch
from stylekit.foundation.clip import Clip

CONTENTS = ["A cat on the grass.", "A dog in the sky.", "A cat on the grass.", "A sun in the snow."]
STYLES = ["In the style of cubism, ink line", "In the style of op art, mosaic"]


def make_batch() -> StyleBatch:
    torch.manual_seed(0)
    return StyleBatch(
        images=torch.rand(4, 3, 32, 32),
        style_ids=torch.tensor([0, 0, 1, 1]),
        content_ids=torch.tensor([0, 1, 0, 2]),
        style_prompts=[STYLES[0], STYLES[0], STYLES[1], STYLES[1]],
        content_prompts=CONTENTS,
    )


@pytest.mark.parametrize(
    ("probability", "captions", "match"),
    [
        (0.0, CONTENTS, [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]),
        (1.0, [f"{CONTENTS[i]} {STYLES[i // 2]}" for i in range(4)], torch.eye(4).tolist()),
    ],
)
def test_a_caption_matches_every_image_that_it_describes(
    tiny_clip: Path, probability: float, captions: list[str], match: list[list[float]]
) -> None:
    foundation, batch = Clip(str(tiny_clip)), make_batch()
    loss = CLIP(foundation, style_caption_probability=probability).losses(batch)["image_text"]
    z, u = foundation.embed_images(batch.images), foundation.embed_texts(captions)
    torch.testing.assert_close(loss, softmax_contrast(z, u, torch.tensor(match).bool(), foundation.scale))


def test_both_towers_learn(tiny_clip: Path) -> None:
    method = CLIP(Clip(str(tiny_clip)))
    method.start("image_text")
    assert method.learned == set(method.state_dict())
    method.losses(make_batch())["image_text"].backward()
    untouched = {
        name for name, value in method.named_parameters() if value.grad is None or not value.grad.any()
    }
    assert untouched == {name for name in untouched if name.endswith("k_proj.bias")}
