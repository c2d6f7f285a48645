import torch

from methods.stylegallery.regions import (
    absorb_islands,
    merge,
    nearest_labels,
    numbered,
    part_by_depth,
    part_by_place,
)


def grid(*rows):
    return torch.tensor([[int(cell) for cell in row] for row in rows])


def test_cells_of_a_coarser_grid_have_the_region_of_the_nearest_cell():
    labels = torch.arange(16).view(1, 4, 4)
    assert nearest_labels(labels, (2, 2)).tolist() == [[[0, 2], [8, 10]]]


def test_regions_are_numbered_as_they_appear_and_none_stays_none():
    assert torch.equal(numbered(grid("770", "733", "009")), grid("110", "122", "003"))


def test_regions_of_like_latents_become_one_along_chains():
    labels = grid("1234")
    latents = torch.tensor([[[0.0, 0.8, 1.6, 5.0]]])
    assert torch.equal(merge(labels, latents, 0.85), grid("1112"))
    assert torch.equal(merge(labels, latents, 0.5), labels)
    assert torch.equal(merge(labels, latents, 0.0), labels)


def test_a_chain_that_closes_late_takes_all_its_links_along():
    labels = grid("1234")
    latents = torch.tensor([[[0.0, 1.6, 2.4, 0.8]]])  # 1-4, 2-3, 2-4
    assert torch.equal(merge(labels, latents, 0.85), grid("1111"))


def test_the_distance_of_latents_is_between_their_means():
    labels = grid("1122")
    latents = torch.tensor([[[0.0, 2.0, 0.9, 1.1]], [[0.0, 0.0, 0.0, 0.0]]])
    assert torch.equal(merge(labels, latents, 0.1), grid("1111"))


def test_a_region_that_reaches_into_the_depth_is_parted():
    labels, latents = grid("111111", "111111"), torch.zeros(1, 2, 6)
    depth = torch.tensor([[0.0, 0.1, 0.0, 0.9, 1.0, 1.0]]).expand(2, -1)
    assert torch.equal(
        numbered(part_by_depth(labels, latents, depth, 0.75, 4, seed=0)), grid("111222", "111222")
    )
    assert torch.equal(part_by_depth(labels, latents, 0.5 * depth, 0.75, 4, seed=0), labels)
    assert torch.equal(part_by_depth(labels, latents, depth, 0.75, 13, seed=0), labels)


def test_regions_of_like_latents_and_depth_become_one_after_parting():
    labels, latents = grid("112233"), torch.tensor([[[0.0, 0.0, 0.3, 0.3, 0.3, 0.3]]])
    depth = torch.tensor([[0.0, 0.0, 0.1, 0.1, 0.9, 0.9]])
    assert torch.equal(part_by_depth(labels, latents, depth, 0.75, 1, seed=0), grid("111122"))


def test_pieces_of_a_region_that_lie_apart_become_regions():
    assert torch.equal(part_by_place(grid("1212", "1221", "1222")), grid("1234", "1225", "1222"))


def test_islands_go_to_what_is_around_them():
    labels = grid("11111", "12111", "11133", "11133")
    assert torch.equal(absorb_islands(labels, 2), grid("11111", "11111", "11122", "11122"))
    assert torch.equal(absorb_islands(labels, 1), labels)


def test_cells_that_touch_at_a_corner_are_two_pieces():
    labels = grid("2111", "1211", "1111")
    assert torch.equal(absorb_islands(labels, 2), torch.ones(3, 4, dtype=torch.long))


def test_the_majority_around_an_island_wins():
    assert torch.equal(absorb_islands(grid("1322", "1122"), 2), grid("1122", "1122"))
    assert torch.equal(absorb_islands(grid("1322", "1222"), 2), grid("1222", "1222"))
