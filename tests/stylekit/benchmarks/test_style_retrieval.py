from typing import ClassVar

import pytest
import torch

from stylekit.batch import StyleBatch
from stylekit.benchmarks import StyleRetrieval
from stylekit.benchmarks.board import Board, data_board, palette_matched_board, random_board
from stylekit.benchmarks.style_retrieval import score
from stylekit.errors import ConfigError, DataError
from stylekit.method import StyleEncoder
from stylekit.metrics import nearest
from stylekit.split import split_of


class Colours(StyleEncoder):
    """Mean and spread of each channel."""

    seen: ClassVar[list[bool]] = []

    def embed(self, images):
        self.seen.append(torch.is_inference_mode_enabled() and not self.training)
        values = torch.cat([images.mean(dim=(2, 3)), images.std(dim=(2, 3))], dim=1)
        return torch.nn.functional.normalize(values - 0.3, dim=1)


def board_of(style_ids, content_ids, groups=None):
    return Board("test", style_ids, content_ids, lambda: iter([]), {}, groups)


def grid(num_styles, num_contents):
    return (
        torch.arange(num_styles).repeat_interleave(num_contents),
        torch.arange(num_contents).repeat(num_styles),
    )


class FakeData:
    def __init__(self, *batches):
        self.batches = batches

    def setup(self, stage):
        pass

    def held_out(self, split):
        assert split == "test"
        return iter(self.batches)

    def digest(self):
        return "abc"


def batch_of(style_ids, content_ids):
    n = len(style_ids)
    images = torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(n))
    return StyleBatch(images, torch.tensor(style_ids), torch.tensor(content_ids), ["s"] * n, ["c"] * n)


def test_scores_are_means_over_the_queries_of_a_style():
    styles, contents = grid(6, 4)
    embeddings = torch.nn.functional.normalize(
        torch.randn(24, 3, generator=torch.Generator().manual_seed(0)), dim=1
    )
    first = nearest(embeddings, 1)[:, 0]
    scores = score(embeddings, board_of(styles, contents))
    for style in range(6):
        queries = range(style * 4, style * 4 + 4)
        hits = [styles[first[q]] == style for q in queries]
        leaks = [contents[first[q]] == contents[q] and styles[first[q]] != style for q in queries]
        assert scores["recall_at_1"].values[style] == pytest.approx(sum(hits) / 4)
        assert scores["leakage"].values[style] == pytest.approx(sum(leaks) / 4)
    assert scores["leakage"].better == "lower"
    assert scores["recall_at_1"].better == "higher"


def test_style_embedding_is_perfect_and_content_embedding_leaks():
    board = board_of(*grid(12, 11))
    by_style, by_content = (torch.eye(12)[ids] for ids in (board.style_ids, board.content_ids))
    perfect, leaky = score(by_style, board), score(by_content, board)
    for name in ("recall_at_1", "recall_at_10", "csd_map_at_10", "map_full"):
        assert perfect[name].values == [1.0] * 12
        assert sum(leaky[name].values) / 12 < 0.3
    assert perfect["leakage"].values == [0.0] * 12
    assert leaky["leakage"].values == [1.0] * 12


def test_styles_of_a_palette_group_share_a_cluster():
    styles, contents = grid(6, 4)
    scores = score(torch.eye(6)[styles], board_of(styles, contents, groups=styles // 3))
    assert scores["recall_at_1"].clusters == [0, 0, 0, 1, 1, 1]


def test_leakage_is_left_out_where_no_content_is_shared():
    board = board_of(torch.arange(6) // 3, torch.arange(6))
    assert "leakage" not in score(torch.eye(2)[board.style_ids], board)


def test_leakage_counts_queries_that_could_have_found_either():
    # Content 0 is shown in styles 0 and 1, contents 1 to 3 in one style each; style 2 shares none.
    styles, contents = torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 1, 0, 2, 3, 4])
    found = score(torch.eye(5)[contents], board_of(styles, contents, groups=torch.zeros(6).long()))["leakage"]
    assert found.values == [1.0, 1.0]
    assert found.clusters == [0, 0]
    apart = board_of(styles, contents, groups=styles)
    assert "leakage" not in score(torch.eye(5)[contents], apart)


def test_drawn_board_holds_each_held_out_style_with_the_same_held_out_contents():
    board = random_board(num_styles=3, num_contents=4, image_size=64, seed=5, batch_size=5)
    images = torch.cat(list(board.batches()))
    assert images.shape == (12, 3, 64, 64)
    assert board.style_ids.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert board.content_ids.tolist() == [0, 1, 2, 3] * 3
    assert board.settings["images"] == 12


def test_drawn_styles_and_contents_are_held_out(monkeypatch):
    drawn = []

    def watch(scenes, styles, seeds, size):
        drawn.extend(zip(scenes, styles, seeds, strict=True))
        return torch.zeros(len(scenes), 3, size, size)

    monkeypatch.setattr("stylekit.benchmarks.board.draw", watch)
    for board in (random_board(3, 4, 64, 0, 64), palette_matched_board(2, 4, 3, 64, 0, 64)):
        list(board.batches())
    assert len(drawn) == 12 + 24
    assert {split_of(scene.prompt()) for scene, _, _ in drawn} == {"test"}
    assert {split_of(style.prompt()) for _, style, _ in drawn} == {"test"}
    assert len({seed for _, _, seed in drawn[:12]}) == 12


def test_same_seed_draws_the_same_board_whatever_the_batch_size():
    boards = [random_board(2, 3, 64, seed, batch_size) for seed, batch_size in ((0, 6), (0, 4), (1, 6))]
    images = [torch.cat(list(board.batches())) for board in boards]
    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])
    assert boards[0].settings == boards[1].settings
    assert boards[0].settings["pixels"] != boards[2].settings["pixels"]


def test_second_pass_gives_the_same_images(monkeypatch):
    kept, redrawn = random_board(2, 2, 64, 0, 3), random_board(2, 2, 64, 0, 3)
    first = torch.cat(list(kept.batches()))
    assert torch.equal(first, torch.cat(list(kept.batches())))
    monkeypatch.setattr("stylekit.benchmarks.board._CACHE_LIMIT", 0)
    for _ in range(2):
        assert torch.equal(first, torch.cat(list(redrawn.batches())))


def test_larger_board_repeats_the_images_of_the_smaller(monkeypatch):
    seeds = {}

    def watch(scenes, styles, image_seeds, size):
        for scene, style, seed in zip(scenes, styles, image_seeds, strict=True):
            assert seeds.setdefault((scene.prompt(), style.prompt()), seed) == seed
        return torch.zeros(len(scenes), 3, size, size)

    monkeypatch.setattr("stylekit.benchmarks.board.draw", watch)
    for num_styles, num_contents in ((2, 3), (4, 5)):
        list(random_board(num_styles, num_contents, 64, 0, 64).batches())
    assert len(seeds) == 20


def test_run_measures_both_boards_in_inference_and_evaluation_mode():
    Colours.seen.clear()
    encoder = Colours().train()
    benchmark = StyleRetrieval(
        num_styles=4, num_contents=4, num_groups=2, group_size=3, num_group_contents=4, batch_size=16
    )
    result = benchmark.run(encoder)
    assert set(result.boards) == {"random", "palette_matched"}
    assert len(result.scores["random/recall_at_1"].values) == 4
    assert len(result.scores["palette_matched/leakage"].values) == 6
    assert all(Colours.seen)
    assert encoder.training
    assert benchmark.run(encoder) == result


def test_data_board_leaves_out_styles_of_one_image():
    board = data_board(FakeData(batch_of([7, 7, 8], [0, 1, 0]), batch_of([9, 9], [0, 1])))
    assert board.style_ids.tolist() == [7, 7, 9, 9]
    assert board.settings["styles_of_one_image_left_out"] == 1
    images = list(board.batches())
    assert [len(batch) for batch in images] == [2, 2]
    assert torch.allclose(images[1], batch_of([9, 9], [0, 1]).images, atol=0.5 / 255 + 1e-6)


def test_data_without_styles_to_retrieve_is_refused():
    with pytest.raises(DataError, match="no held-out styles"):
        data_board(FakeData())
    with pytest.raises(DataError, match="fewer than two"):
        data_board(FakeData(batch_of([1, 1, 2], [0, 1, 2])))


def test_board_too_small_is_refused():
    with pytest.raises(ConfigError, match="num_styles"):
        StyleRetrieval(num_styles=1)
    with pytest.raises(ConfigError, match="num_groups"):
        StyleRetrieval(num_groups=1)
