from pathlib import Path

import pytest
import torch

from methods.siglip import SigLIP
from stylekit.batch import StyleBatch
from stylekit.errors import MissingError
from stylekit.foundation.siglip import Siglip
from stylekit.losses import sigmoid_contrast


def make_batch() -> StyleBatch:
    torch.manual_seed(0)
    return StyleBatch(
        images=torch.rand(4, 3, 32, 32),
        style_ids=torch.tensor([0, 0, 1, 1]),
        content_ids=torch.tensor([0, 1, 0, 2]),
        style_prompts=["word1", "word1", "word2", "word2"],
        content_prompts=["word6", "word7", "word6", "word8"],
    )


@pytest.mark.parametrize(
    ("probability", "captions", "match"),
    [
        (0.0, ["word6", "word7", "word6", "word8"], [[1, 0, 1, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]),
        (1.0, ["word6 word1", "word7 word1", "word6 word2", "word8 word2"], torch.eye(4).tolist()),
    ],
)
def test_a_caption_matches_every_image_that_it_describes(
    tiny_siglip: Path, probability: float, captions: list[str], match: list[list[float]]
) -> None:
    foundation, batch = Siglip(str(tiny_siglip)), make_batch()
    loss = SigLIP(foundation, style_caption_probability=probability).losses(batch)["image_text"]
    z, u = foundation.embed_images(batch.images), foundation.embed_texts(captions)
    mask = torch.tensor(match).bool()
    torch.testing.assert_close(loss, sigmoid_contrast(z, u, mask, foundation.scale, foundation.bias))


def test_both_towers_learn(tiny_siglip: Path) -> None:
    method = SigLIP(Siglip(str(tiny_siglip)))
    method.start("image_text")
    assert method.learned == set(method.state_dict())


def test_random_weights_follow_the_seed(tiny_siglip: Path) -> None:
    images = torch.rand(2, 3, 32, 32)
    first, same, other = (
        Siglip(str(tiny_siglip), random_weights=True, seed=seed).embed_images(images) for seed in (1, 1, 2)
    )
    assert torch.equal(first, same)
    assert not torch.allclose(first, other)


def test_unknown_foundation_says_what_is_shipped() -> None:
    with pytest.raises(MissingError, match="mini_siglip"):
        Siglip("mini_siglop")


def test_hub_name_offline_says_how_to_get_the_weights() -> None:
    with pytest.raises(MissingError, match="hf download google/siglip-so400m-patch14-384"):
        Siglip("google/siglip-so400m-patch14-384")
