import pytest
import torch
import torch.nn.functional as F
from torch import nn

from stylekit.benchmarks.region_descriptors import EarlyRegions, LabRegions
from stylekit.metrics import to_lab

generator = torch.Generator().manual_seed(0)
IMAGES = torch.rand(2, 3, 8, 8, generator=generator)
MASKS = torch.rand(2, 2, 8, 8, generator=generator) > 0.5
REFERENCES = torch.rand(2, 3, 3, 8, 8, generator=generator)
REFERENCE_MASKS = torch.rand(2, 3, 2, 8, 8, generator=generator) > 0.5


class Halves(nn.Module):
    """Its early maps are the image, then its square, then the image at half the size."""

    def early(self, images):
        return [-images, images.square(), F.avg_pool2d(images, 2)]


@pytest.mark.parametrize("descriptor", [LabRegions(), EarlyRegions(Halves(), torch.device("cpu"))])
def test_every_region_is_compared_with_that_of_each_reference(descriptor):
    described = descriptor.describe(IMAGES, MASKS)
    references = descriptor.describe(REFERENCES, REFERENCE_MASKS)
    distances = descriptor.distances(described, references)
    assert distances.shape == (2, 2, 3)
    for row in range(2):
        for region in range(2):
            for place in range(3):
                own = descriptor.describe(IMAGES[row : row + 1], MASKS[row : row + 1, region : region + 1])
                theirs = descriptor.describe(
                    REFERENCES[row : row + 1, place : place + 1],
                    REFERENCE_MASKS[row : row + 1, place : place + 1, region : region + 1],
                )
                alone = descriptor.distances(own, theirs)
                assert float(distances[row, region, place]) == pytest.approx(float(alone), abs=1e-6)
    itself = descriptor.distances(described, descriptor.describe(IMAGES[:, None], MASKS[:, None]))
    assert itself.flatten().tolist() == pytest.approx([0.0] * 4, abs=1e-5)


def test_colours_outside_the_region_do_not_matter():
    painted = torch.where(MASKS[:, :1], IMAGES, 0.0)
    one, other = (LabRegions().describe(images, MASKS[:, :1]) for images in (IMAGES, painted))
    assert torch.allclose(one.means, other.means)
    assert one.means[0, 0].tolist() == pytest.approx(
        to_lab(IMAGES[0].double())[:, MASKS[0, 0]].mean(1).tolist()
    )


def test_early_features_are_mean_and_deviation_of_each_map_but_the_first():
    mask = torch.zeros(1, 1, 8, 8, dtype=torch.bool)
    mask[..., :4, :] = True  # whole cells of the half map
    (vector,) = EarlyRegions(Halves(), torch.device("cpu")).describe(IMAGES[:1], mask)[0]
    parts = []
    for maps in (IMAGES[0].square()[:, :4], F.avg_pool2d(IMAGES[:1], 2)[0, :, :2]):
        flat = maps.flatten(1).double()
        parts.append(F.normalize(torch.cat([flat.mean(1), flat.std(1, correction=0)]), dim=0))
    assert vector.tolist() == pytest.approx((torch.cat(parts) / 2**0.5).tolist(), abs=1e-5)
