import math

import pytest
import torch
from torch import nn

from stylekit.benchmarks import Reconstruction
from stylekit.benchmarks.reconstruction import recall_among_originals
from stylekit.errors import ConfigError
from stylekit.method import StyleRenderer


class Colours(nn.Module):
    def embed_images(self, images):
        values = torch.cat([images.mean((2, 3)), images.std((2, 3))], 1) - 0.3
        return nn.functional.normalize(values, dim=1)


class Fading(StyleRenderer):
    """Gives back what it was shown, a little of it lost."""

    needs = frozenset({"content"})

    def __init__(self, lost):
        super().__init__()
        self.lost = lost
        self.seen = []

    def extract(self, references):
        return references.mean()

    def render(self, style, prompt, content, seed):
        self.seen.append((float(style), list(prompt), list(seed), self.training))
        return content + self.lost * (0.5 - content)


def make(**changes):
    return Reconstruction(encoder=Colours, **({"num_styles": 3, "num_contents": 4} | changes))


def board_images(benchmark):
    return torch.cat(list(benchmark._board.batches()))


def test_scores_are_those_of_a_brute_force_count():
    benchmark, method = make(), Fading(0.5)
    result = benchmark.run(method)
    originals = board_images(benchmark)
    again = originals + 0.5 * (0.5 - originals)
    z, u = Colours().embed_images(originals), Colours().embed_images(again)
    for style in range(3):
        rows = range(style * 4, style * 4 + 4)
        errors = [float(((originals[row] - again[row]) ** 2).mean()) for row in rows]
        expected = sum(-10 * math.log10(error) for error in errors) / 4
        assert result.scores["held_out/psnr"].values[style] == pytest.approx(expected, rel=1e-4)
        found = {}
        for name, queries in (("originals", z), ("reconstructions", u)):
            hits = []
            for row in rows:
                others = [other for other in range(12) if other != row]
                nearest = max(others, key=lambda other, row=row, q=queries: float(q[row] @ z[other]))
                hits.append(nearest // 4 == style)
            found[name] = sum(hits) / 4
            assert result.scores[f"held_out/recall_at_1_{name}"].values[style] == pytest.approx(found[name])
        lost = result.scores["held_out/recall_at_1_lost"]
        assert lost.values[style] == pytest.approx(found["originals"] - found["reconstructions"])
        assert (lost.unit, lost.better) == ("points", "lower")
    assert result.scores["held_out/psnr"].unit == "dB"


def test_each_batch_is_of_one_style_and_rendered_from_its_own_images_in_evaluation_mode():
    benchmark, method = make(), Fading(0.1).train()
    result = benchmark.run(method)
    means = [float(part.mean()) for part in board_images(benchmark).split(4)]
    assert [style for style, *_ in method.seen] == pytest.approx(means)
    assert {tuple(prompt) for _, prompt, *_ in method.seen} == {("", "", "", "")}
    assert not any(is_training for *_, is_training in method.seen)
    assert method.training
    assert result.exhibits["sheet/held_out/pixels"].shape == (3, 2, 3, 64, 64)


def test_images_that_come_back_as_they_were_lose_nothing():
    result = make().run(Fading(0.0))
    assert result.scores["held_out/psnr"].values == [100.0] * 3
    assert result.scores["held_out/recall_at_1_lost"].values == [0.0] * 3
    assert len(result.boards["held_out"]["encoder"]) == 16


def test_an_original_does_not_find_itself_and_a_tie_goes_to_the_first():
    z = torch.eye(2)[[0, 0, 1, 1]]
    assert recall_among_originals(z, z, torch.tensor([0, 0, 1, 1])).tolist() == [1.0] * 4
    assert recall_among_originals(z, z, torch.tensor([0, 1, 1, 0])).tolist() == [0.0] * 4


def test_encoder_is_built_only_when_it_measures():
    def build():
        raise ConfigError("built")

    benchmark = Reconstruction(encoder=build)
    with pytest.raises(ConfigError, match="built"):
        benchmark.run(Fading(0.0))
