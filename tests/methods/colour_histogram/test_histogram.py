import pytest
import torch

from methods.colour_histogram import ColourHistogram
from methods.colour_histogram.histogram import colour_histogram


def test_counts_equal_brute_force():
    images = torch.rand(3, 3, 9, 7, generator=torch.Generator().manual_seed(0))
    counts = torch.zeros(3, 6, 6, 6)
    for i in range(3):
        for y in range(9):
            for x in range(7):
                r, g, b = (images[i, :, y, x] * 6).long().tolist()
                counts[i, r, g, b] += 1
    assert torch.allclose(colour_histogram(images), (counts.flatten(1) / 63).sqrt())


def test_white_falls_into_the_last_cell_and_black_into_the_first():
    images = torch.stack([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)])
    assert colour_histogram(images).argmax(dim=1).tolist() == [0, 215]


def test_embeddings_are_unit_vectors_of_images_of_any_size():
    encoder = ColourHistogram()
    for size in (8, 33):
        embeddings = encoder.embed(torch.rand(4, 3, size, size + 3))
        assert embeddings.shape == (4, 216)
        assert torch.allclose(embeddings.norm(dim=1), torch.ones(4))


def test_cosine_is_the_bhattacharyya_coefficient():
    # Half black and half white against all white: sqrt(0 * 1/2) + sqrt(1 * 1/2).
    half = torch.cat([torch.zeros(3, 4, 4), torch.ones(3, 4, 4)], dim=1)
    a, b = colour_histogram(half[None]), colour_histogram(torch.ones(1, 3, 8, 4))
    assert (a @ b.T).item() == pytest.approx(0.5**0.5)


def test_place_does_not_matter():
    image = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    moved = image.flatten(2)[:, :, torch.randperm(64)].reshape(1, 3, 8, 8)
    assert torch.equal(colour_histogram(image), colour_histogram(moved))
