"""The order of batches, against brute force."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from datamodules.sampling import PermutationStream, StyleSampler, _splitmix64, hash64, permutation, uniform


def sampler(num_styles, images, styles_per_batch, images_per_style, seed=0):
    starts = np.cumsum([0, *([images] * num_styles)])
    rows = [np.arange(a, b) for a, b in pairwise(starts)]
    return StyleSampler(rows, styles_per_batch, images_per_style, seed)


def test_hash_is_fixed_for_all_time():
    assert _splitmix64(0) == 0xE220A8397B1DCDAF  # published first output
    assert _splitmix64(np.arange(3, dtype=np.uint64)).tolist() == [_splitmix64(i) for i in range(3)]
    assert hash64(1, "a", np.arange(2)).tolist() == [2992363493400640280, 3137491242044752837]


def test_uniform_covers_the_unit_interval():
    values = uniform(3, np.arange(20_000))
    counts, _ = np.histogram(values, bins=10, range=(0, 1))
    assert counts.sum() == 20_000
    assert counts.min() > 1_850


def test_permutations_are_permutations_and_differ_by_key():
    first, second = permutation(50, 0, "x"), permutation(50, 1, "x")
    assert sorted(first) == sorted(second) == list(range(50))
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize(
    ("size", "window"), [(5, 5), (7, 5), (9, 5), (10, 5), (11, 5), (13, 6), (8, 1), (64, 48), (101, 32)]
)
def test_stream_repeats_nothing_in_a_window_and_loses_nothing_in_an_epoch(size, window):
    stream = PermutationStream(size, window, 3)
    num_windows = 6 * size
    windows = [stream.window(i) for i in range(num_windows)]
    assert all(len(set(items.tolist())) == window for items, _ in windows)
    flat = np.concatenate([items for items, _ in windows])
    epochs = np.concatenate([numbers for _, numbers in windows])
    for epoch in range(len(flat) // size):
        assert sorted(flat[epoch * size : (epoch + 1) * size]) == list(range(size))
        assert set(epochs[epoch * size : (epoch + 1) * size]) == {epoch}


@pytest.mark.parametrize(("size", "window"), [(7, 5), (9, 5), (23, 6)])
def test_stream_can_be_entered_anywhere(size, window):
    in_order = PermutationStream(size, window, 1)
    forward = [in_order.window(i)[0].tolist() for i in range(60)]
    shuffled = PermutationStream(size, window, 1)
    for i in permutation(60, 4):
        assert shuffled.window(int(i))[0].tolist() == forward[i]
    assert PermutationStream(size, window, 1).window(37)[0].tolist() == forward[37]


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_batches_do_not_depend_on_the_number_of_processes(world_size):
    whole = sampler(22, 5, 8, 2)
    for position in range(30):
        parts = [sampler(22, 5, 8, 2).batch(position, rank, world_size) for rank in range(world_size)]
        expected = whole.batch(position)
        assert np.concatenate([part.rows for part in parts]).tolist() == expected.rows.tolist()
        assert np.concatenate([part.slots for part in parts]).tolist() == list(range(8))
        assert np.concatenate([part.styles for part in parts]).tolist() == whole.styles(position).tolist()


@pytest.mark.parametrize(("num_styles", "images", "per_style"), [(22, 5, 2), (9, 4, 4), (12, 7, 3)])
def test_no_image_twice_in_a_batch_and_all_images_equally_often(num_styles, images, per_style):
    subject = sampler(num_styles, images, 8, per_style)
    num_batches = num_styles * images  # a whole number of epochs and of cycles over the images of each style
    seen: Counter[int] = Counter()
    for position in range(num_batches):
        rows = subject.batch(position).rows.ravel().tolist()
        assert len(set(rows)) == 8 * per_style
        seen.update(rows)
    assert set(seen.values()) == {8 * per_style}


def test_images_of_a_style_meet_in_new_company():
    subject = sampler(4, 6, 4, 2)
    pairs = {tuple(sorted(subject.batch(position).rows[0].tolist())) for position in range(400)}
    assert len(pairs) == 4 * 15  # every pair of every style


def test_styles_of_unequal_size_are_visited_equally_often():
    rows = [np.arange(0, 2), np.arange(2, 12), np.arange(12, 15)]
    subject = StyleSampler(rows, 2, 2, 0)
    seen = Counter(int(style) for position in range(30) for style in subject.batch(position).styles)
    assert seen == {0: 20, 1: 20, 2: 20}


def test_another_seed_gives_another_order():
    orders = {tuple(sampler(22, 5, 8, 2, seed).batch(0).rows.ravel()) for seed in range(4)}
    assert len(orders) == 4
