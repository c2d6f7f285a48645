"""Readings and vectors made up by hand get the scores that they must get."""

import pytest
import torch
from torch import nn

from stylekit.atelier import MINI, Scene, sample_style
from stylekit.benchmarks.scene_scores import STYLE_FIELDS
from stylekit.benchmarks.transfer_board import Transfer, TransferBoard
from stylekit.benchmarks.transfer_scores import Seen, TransferScorer
from stylekit.method import ImageTextEncoder, StyleEncoder
from stylekit.reading import Reading

STYLES = [sample_style(0), sample_style(1)]


class NoJudge(nn.Module):
    def read(self, images):
        raise AssertionError("nothing is looked at")


class Flat(StyleEncoder):
    def embed(self, images):
        return images.flatten(1)[:, :3]


class Texts(ImageTextEncoder):
    def embed(self, images):
        return images.flatten(1)[:, :3]

    def embed_texts(self, texts):
        return torch.tensor([[0.0, 2.0, 0.0] for _ in texts])


def transfer(style, prompt, *shown):
    scenes = [Scene.from_prompt(text) for text in shown]
    return Transfer(style, [Scene.from_prompt(prompt)], scenes, [style])


@pytest.fixture
def scorer():
    first = transfer(STYLES[0], "A cat on the grass.", "A dog in the snow.", "A star in the sky.")
    second = transfer(STYLES[1], "A dog in the snow.", "A cat and a star in the sky.", "A moon in the sky.")
    board = TransferBoard([first, second], 1, 64, 0)
    scorer = TransferScorer(board, NoJudge(), Flat(), Texts(), torch.device("cpu"))
    scorer.references = torch.tensor([[[1.0, 0, 0], [0, 1, 0]], [[0.6, 0.8, 0], [0, 0, 1]]])
    return scorer


def seen(things, vectors, num_frames=1):
    rows = len(vectors)
    present = torch.zeros(rows, len(MINI.things), dtype=torch.bool)
    present[:, [MINI.things.index(name) for name in things]] = True
    words = {field: tuple(dict.fromkeys(getattr(one, field) for one in STYLES)) for field in STYLE_FIELDS}
    # Every word is the first style's.
    style = {field: torch.eye(len(words[field]))[[0] * rows] for field in STYLE_FIELDS}
    centres = torch.full((rows, len(MINI.things), 2), 0.5)
    reading = Reading(MINI.things, present.float(), present, present.long(), centres, words, style)
    return Seen(reading, torch.tensor(vectors), torch.tensor([[0.6, 0.8, 0.0]] * rows), num_frames)


def test_the_nearest_of_all_references_decides_and_the_mean_is_the_similarity(scorer):
    found = scorer.right(0, seen(["cat"], [[1.0, 0.0, 0.0]]))
    assert found["style_similarity"].tolist() == pytest.approx([0.5])
    assert found["reference_recall"].tolist() == [1.0]
    wrong = scorer.wrong(0, seen(["cat"], [[1.0, 0.0, 0.0]]))
    assert wrong["style_similarity"].tolist() == pytest.approx([0.3])
    assert wrong["reference_recall"].tolist() == [0.0]


def test_words_are_those_of_the_style_that_is_meant(scorer):
    at_all = seen(["cat"], [[1.0, 0.0, 0.0]])
    assert scorer.right(0, at_all)["style_truth"].tolist() == [1.0]
    shared = [getattr(STYLES[0], field) == getattr(STYLES[1], field) for field in STYLE_FIELDS]
    assert scorer.wrong(0, at_all)["style_truth"].tolist() == pytest.approx([sum(shared) / 5])
    assert scorer.wrong(0, at_all)["palette"].tolist() == [float(shared[STYLE_FIELDS.index("palette")])]


def test_texts_are_compared_by_their_direction(scorer):
    assert scorer.right(0, seen(["cat"], [[1.0, 0.0, 0.0]]))["text_score"].tolist() == pytest.approx([0.8])


def test_leakage_is_of_things_of_the_references_alone(scorer):
    found = scorer.right(0, seen(["cat", "star", "moon"], [[1.0, 0.0, 0.0]]))
    assert found["leakage"].tolist() == [0.5]  # the star, not the dog
    assert found["object_present"].tolist() == [1.0]


def test_chance_leakage_leaves_out_what_prompt_and_own_references_show(scorer):
    of_first = [scorer.wrong(0, seen(things, [[1.0, 0, 0]])) for things in (["cat", "star"], ["moon"])]
    assert [one["leakage"].tolist() for one in of_first] == [[0.0], [1.0]]
    # The other references show the dog, which is prompted, and the star, which the own ones show.
    assert scorer.wrong(1, seen(["dog", "star"], [[1.0, 0, 0]]))["leakage"].isnan().all()


def test_frames_of_an_image_are_averaged(scorer):
    found = scorer.right(0, seen(["cat"], [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], num_frames=2))
    assert found["style_similarity"].tolist() == pytest.approx([0.25])
    assert found["reference_recall"].tolist() == [0.5]
