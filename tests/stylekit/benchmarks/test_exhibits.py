import torch

from stylekit.benchmarks.board import Board
from stylekit.benchmarks.exhibits import embedding_map, retrieval_strips


def board(groups=None):
    """Eight styles of three contents; each image is filled with its own number."""
    pixels = torch.arange(24, dtype=torch.uint8)[:, None, None, None].expand(24, 3, 4, 4)
    styles, contents = torch.arange(8).repeat_interleave(3), torch.arange(3).repeat(8)
    return Board("random", styles, contents, lambda: iter(pixels.split(5)), {}, groups)


def test_strips_show_the_query_then_its_nearest_with_the_truth_about_each():
    angles = torch.arange(24) * 0.1  # the nearest of an image are those beside it
    embeddings = torch.stack([angles.cos(), angles.sin()], 1)
    shown = retrieval_strips(embeddings, board())
    pixels = shown["strips/random/pixels"]
    assert pixels.shape == (6, 11, 3, 4, 4)
    rows = torch.tensor(pixels[:, :, 0, 0, 0].astype(int))
    assert (rows[:, 1:3] - rows[:, :1]).abs().max() <= 2
    assert len({row % 3 for row in rows[:, 0].tolist()}) == 3  # queries of different contents
    assert torch.equal(torch.tensor(shown["strips/random/same_style"]), rows // 3 == rows[:, :1] // 3)
    assert torch.equal(torch.tensor(shown["strips/random/same_content"]), rows % 3 == rows[:, :1] % 3)


def test_in_groups_the_nearest_are_of_the_same_group():
    groups = torch.arange(24) // 12
    shown = retrieval_strips(torch.nn.functional.normalize(torch.randn(24, 8)), board(groups))
    rows = shown["strips/random/pixels"][:, :, 0, 0, 0].astype(int)
    assert (rows // 12 == rows[:, :1] // 12).all()


def test_a_map_keeps_all_images_of_a_few_styles():
    shown = embedding_map(torch.randn(24, 5), board())
    assert shown["map/random/vectors"].shape == (24, 5)
    assert shown["map/random/style_ids"].tolist() == [i // 3 for i in range(24)]
    assert shown["map/random/content_ids"].tolist() == [i % 3 for i in range(24)]
