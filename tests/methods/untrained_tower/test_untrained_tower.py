import torch

from methods.untrained_tower import UntrainedTower
from stylekit.foundation.siglip import Siglip


def test_weights_are_those_of_the_seed_and_not_of_the_foundation(tiny_siglip):
    images = torch.rand(2, 3, 32, 32)
    learned = Siglip(str(tiny_siglip)).embed_images(images)
    first = UntrainedTower(Siglip(str(tiny_siglip)), seed=1).embed(images)
    assert torch.equal(first, UntrainedTower(Siglip(str(tiny_siglip)), seed=1).embed(images))
    assert not torch.allclose(first, learned, atol=1e-2)
    assert not torch.allclose(
        first, UntrainedTower(Siglip(str(tiny_siglip)), seed=2).embed(images), atol=1e-2
    )
