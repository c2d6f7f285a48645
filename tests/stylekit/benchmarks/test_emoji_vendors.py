import pyarrow.parquet as pq
import pytest
import torch

from methods.colour_histogram import ColourHistogram
from stylekit.benchmarks import EmojiVendors
from stylekit.benchmarks.emoji_vendors import ASSET
from stylekit.errors import ConfigError
from stylekit.method import StyleEncoder


class Told(StyleEncoder):
    """Knows the images by heart: embeds the number of the vendor, or of the emoji."""

    def __init__(self, what: str, num_contents: int) -> None:
        super().__init__()
        labels = torch.arange(4 * num_contents)
        self.labels = labels % 4 if what == "style" else labels // 4
        self.place = 0

    def embed(self, images):
        labels = self.labels[self.place : self.place + len(images)]
        self.place += len(images)
        noise = 0.01 * torch.randn(len(images), 512, generator=torch.Generator().manual_seed(0))
        return torch.nn.functional.normalize(torch.eye(512)[labels] + noise, dim=1)


def means(result):
    return {name: sum(one.values) / len(one.values) for name, one in result.scores.items()}


def test_an_encoder_of_style_and_one_of_content_are_told_apart():
    style, content = (means(EmojiVendors(40).run(Told(what, 40))) for what in ("style", "content"))
    assert style == {"emoji/style_at_1": 1.0, "emoji/content_at_1": 0.0, "emoji/leakage": 0.0}
    assert content == {"emoji/style_at_1": 0.0, "emoji/content_at_1": 1.0, "emoji/leakage": 1.0}


def test_every_vendor_draws_every_emoji_once_and_scores_are_by_emoji():
    table = pq.read_table(ASSET).to_pydict()
    pairs = set(zip(table["style"], table["content"], strict=True))
    assert len(pairs) == len(table["style"]) == 1200
    assert len(set(table["style"])) == 4
    assert ASSET.stat().st_size < 4_000_000
    result = EmojiVendors(25).run(ColourHistogram())
    assert all(len(one.values) == 25 for one in result.scores.values())
    assert result.boards["emoji"]["images"] == 100


def test_too_many_emoji_are_refused():
    with pytest.raises(ConfigError, match="at most 300, not 301"):
        EmojiVendors(301).run(ColourHistogram())
