"""Methods that know the truth, that find nothing, and that see colours alone."""

import pytest
import torch

from stylekit.benchmarks import RegionQuality
from stylekit.benchmarks.region_quality import colour_clusters, majority, region_scores
from stylekit.method import RegionRenderer


def make(**changes):
    return RegionQuality(**({"num_images": 6, "batch_size": 4} | changes))


BENCH = make()
IMAGES, TRUTH = BENCH._draw()


class Finder(RegionRenderer):
    """Finds what `regions` says of the images, in order."""

    def __init__(self, regions):
        super().__init__()
        self.regions, self.seen = regions, 0

    def extract(self, references):
        raise AssertionError

    def render_explained(self, style, prompt, content, seed):
        raise AssertionError

    def find_regions(self, images):
        assert not self.training
        self.seen += len(images)
        assert torch.equal(images, IMAGES[self.seen - len(images) : self.seen])
        return self.regions[self.seen - len(images) : self.seen]


def mean(result, name):
    return sum(result.scores[name].values) / len(result.scores[name].values)


def test_the_truth_under_other_numbers_is_perfect():
    method = Finder(50 - TRUTH).train()
    result = BENCH.run(method)
    assert method.training
    assert method.seen == 6
    for group in ("found", "truth"):
        for name in ("rand_index", "object_iou", "matched_iou"):
            assert result.scores[f"{group}/{name}"].values == pytest.approx([1.0] * 6)
    counts = [len(one.unique()) for one in TRUTH]
    assert result.scores["found/num_regions"].values == result.scores["truth/num_regions"].values == counts
    assert result.scores["found/num_regions"].better == "neither"
    assert result.scores["found/rand_index"].clusters == [*range(6)]


def test_one_region_finds_nothing():
    result = BENCH.run(Finder(torch.ones(6, 8, 8).long()))
    for name in ("rand_index", "object_iou", "matched_iou", "num_regions"):
        assert result.scores[f"found/{name}"].values == result.scores[f"one_region/{name}"].values
    assert result.scores["one_region/rand_index"].values == [0.0] * 6
    assert mean(result, "one_region/matched_iou") < 0.4
    assert mean(result, "one_region/object_iou") < 0.4


def test_a_coarse_grid_bounds_what_can_be_reached():
    coarse = BENCH.run(Finder(majority(TRUTH, 8, 8)))
    fine = BENCH.run(Finder(majority(TRUTH, 32, 32)))
    for name in ("rand_index", "object_iou", "matched_iou"):
        assert coarse.scores[f"found/{name}"].values == coarse.scores[f"truth/{name}"].values
        assert mean(coarse, f"truth/{name}") < mean(fine, f"truth/{name}") < 1.0
        assert mean(coarse, f"one_region/{name}") < mean(coarse, f"colours/{name}") + 0.05
    assert mean(fine, "colours/rand_index") < mean(fine, "truth/rand_index")


def test_scores_of_one_image_by_hand():
    # A thing of four pixels on a ground of twelve; half of it was found, with two pixels of the ground.
    truth = torch.ones(1, 4, 4).long()
    truth[0, :2, :2] = 9
    found = torch.zeros(1, 4, 4).long()
    found[0, :2, 1:3] = 1
    scores = region_scores(truth, found)
    assert scores["object_iou"] == [pytest.approx(2 / 6)]
    assert scores["matched_iou"] == [pytest.approx((2 / 6 + 10 / 14) / 2)]
    assert scores["num_regions"] == [2.0]


def test_majority_takes_what_covers_most_of_a_cell():
    regions = torch.tensor([[[5, 5, 2, 2], [5, 2, 2, 7]]])
    assert majority(regions, 1, 2).tolist() == [[[5, 2]]]
    assert torch.equal(majority(regions, 2, 4), regions)


def test_colours_are_told_apart():
    image = torch.zeros(1, 3, 4, 4)
    image[:, 0, :, 2:] = 1.0
    (clusters,) = colour_clusters(image, [2])
    assert len(clusters[:, :2].unique()) == len(clusters[:, 2:].unique()) == 1
    assert clusters[0, 0] != clusters[0, 3]
    assert len(colour_clusters(image, [5]).unique()) == 2  # no more than there are colours


def test_the_split_is_what_was_asked_for():
    boards = {split: make(split=split, num_images=3) for split in ("train", "val", "test")}
    digests = {split: bench._settings(bench._draw()[0]) for split, bench in boards.items()}
    assert {one["split"] for one in digests.values()} == {"train", "val", "test"}
    assert len({one["pixels"] for one in digests.values()}) == 3
    assert digests["test"] == make(num_images=3)._settings(make(num_images=3)._draw()[0])


def test_sheet_shows_image_truth_and_what_was_found():
    result = BENCH.run(Finder(majority(TRUTH, 16, 16)))
    pixels = torch.from_numpy(result.exhibits["sheet/found/pixels"])
    assert pixels.shape == (6, 3, 3, 64, 64)
    assert torch.equal(pixels[:, 0], (IMAGES * 255).round().byte())
    colours = len(pixels[0, 1].flatten(1).T.unique(dim=0))
    assert colours == len(TRUTH[0].unique())
    assert result.exhibits["sheet/found/captions"][0].startswith(f"image; {colours} true regions; ")
