import re

import pytest
import torch

from methods.coarse_contrast import CoarseContrast
from methods.coarse_contrast.coarse_contrast import coarse_labels
from stylekit.batch import StyleBatch
from stylekit.errors import ConfigError
from stylekit.foundation.siglip import Siglip
from stylekit.losses import supervised_contrast

PROMPTS = [
    "In the style of pop art, navy with cream",
    "In the style of folk art, navy with cream",
    "In the style of pop art, rust with mist",
    "a photograph",
]


def test_one_label_covers_the_styles_of_one_identity():
    assert coarse_labels(PROMPTS, re.compile("In the style of ([^,]+)")) == [0, 1, 0, 2]
    assert coarse_labels(PROMPTS, re.compile(", ([a-z]+) with")) == [0, 0, 1, 2]


def test_the_loss_pulls_together_what_shares_a_label(tiny_siglip):
    foundation = Siglip(str(tiny_siglip))
    batch = StyleBatch(torch.rand(4, 3, 32, 32), torch.arange(4), torch.arange(4), PROMPTS, ["word1"] * 4)
    (loss,) = CoarseContrast(foundation, temperature=0.2).losses(batch).values()
    z = foundation.embed_images(batch.images)
    torch.testing.assert_close(loss, supervised_contrast(z, torch.tensor([0, 1, 0, 2]), 0.2))


@pytest.mark.parametrize(
    ("pattern", "message"), [("(", "no regular expression"), ("pop", "must have a group")]
)
def test_a_pattern_that_finds_no_label_is_refused(tiny_siglip, pattern, message):
    with pytest.raises(ConfigError, match=message):
        CoarseContrast(Siglip(str(tiny_siglip)), label_pattern=pattern)
