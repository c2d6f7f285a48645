"""The atelier as a source of data, with a stand-in for the painter."""

from collections import Counter

import numpy as np
import pytest

from datamodules.atelier import AtelierSource
from stylekit.errors import ConfigError
from stylekit.split import split_of


def opened(tmp_path, image_size=8, num_workers=0, **settings):
    source = AtelierSource(
        **({"num_styles": 6, "contents_per_style": 4, "num_contents": 12, "held_out_styles": 3} | settings)
    )
    return source, source.open(image_size, tmp_path / "cache", num_workers)


def test_styles_and_contents_of_a_split_are_of_that_split(fake_atelier, tmp_path):
    _, index = opened(tmp_path)
    for number, split in enumerate(("train", "val", "test")):
        rows = np.flatnonzero(index.splits == number)
        assert len(rows) == (24 if split == "train" else 12)
        for row in rows:
            assert split_of(index.style_prompts[index.style_ids[row]]) == split
            assert split_of(index.content_prompts[index.content_ids[row]]) == split


def test_contents_of_a_style_differ_and_all_are_used_equally_often(fake_atelier, tmp_path):
    _, index = opened(tmp_path)
    train = index.content_ids[index.splits == 0].reshape(6, 4)
    assert all(len(set(contents)) == 4 for contents in train.tolist())
    assert set(Counter(train.ravel().tolist()).values()) == {2}


def test_image_shows_its_style_and_content_from_pool_and_drawn(fake_atelier, tmp_path):
    drawing, index = opened(tmp_path, cache_images=0)
    pooled, _ = opened(tmp_path, cache_images=1000)
    partly, _ = opened(tmp_path, cache_images=10)
    rows = [30, 2, 9, 11, 2]
    expected = drawing.load(rows)
    for row, image in zip(rows, expected, strict=True):
        style, content = (
            index.style_prompts[index.style_ids[row]],
            index.content_prompts[index.content_ids[row]],
        )
        assert image.shape == (8, 8, 3)
        assert image[0, 0, 0] == sum(style.encode()) % 251
        assert image[0, 0, 1] == sum(content.encode()) % 251
    assert np.array_equal(pooled.load(rows), expected)
    assert np.array_equal(partly.load(rows), expected)


def test_pool_is_drawn_once_and_in_batches(fake_atelier, tmp_path):
    opened(tmp_path)
    assert fake_atelier.calls == [48]
    source, _ = opened(tmp_path)
    source.load([0, 1])
    assert fake_atelier.calls == [48]


def test_without_a_pool_a_batch_is_drawn_at_once(fake_atelier, tmp_path):
    source, _ = opened(tmp_path, cache_images=0)
    source.load([5, 1, 40])
    assert fake_atelier.calls == [3]


def test_workers_draw_the_same_pool(fake_atelier, tmp_path):
    alone, _ = opened(tmp_path, num_styles=80, cache_images=0)
    together, _ = opened(tmp_path, num_styles=80, num_workers=2)
    assert np.array_equal(alone.load(range(300)), together.load(range(300)))
    assert fake_atelier.calls == [300]  # the others in the workers


def test_changed_painter_or_settings_make_another_pool(fake_atelier, tmp_path):
    first, _ = opened(tmp_path)
    digests = {first.digest()}
    digests.add(opened(tmp_path, seed=1)[0].digest())
    digests.add(opened(tmp_path, num_contents=13)[0].digest())
    digests.add(opened(tmp_path, image_size=16)[0].digest())
    with open(fake_atelier.__file__, "a") as file:
        file.write("# version 2\n")
    digests.add(opened(tmp_path)[0].digest())
    assert len(digests) == 5
    assert len(fake_atelier.calls) == 5


def test_mislabelled_images_are_drawn_in_other_styles_of_training_alone(fake_atelier, tmp_path):
    settings = {"num_styles": 50, "cache_images": 0}
    plain, index = opened(tmp_path, **settings)
    mixed, same = opened(tmp_path, mislabelled=0.3, **settings)
    assert np.array_equal(index.style_ids, same.style_ids)
    rows = range(len(index.style_ids))
    (_, styles, seeds), (scenes, drawn, others) = plain.drawn_from(rows), mixed.drawn_from(rows)
    assert seeds == others
    assert [scene.prompt() for scene in scenes] == [index.content_prompts[i] for i in index.content_ids]
    wrong = np.array([one != other for one, other in zip(styles, drawn, strict=True)])
    assert 0.2 < wrong[index.splits == 0].mean() < 0.4
    assert not wrong[index.splits != 0].any()
    trained = {style.prompt() for style in styles[:200]}
    assert {style.prompt() for style in drawn[:200]} <= trained
    assert mixed.digest() != plain.digest()
    assert opened(tmp_path, mislabelled=0.0, **settings)[0].digest() == plain.digest()


def test_seed_decides_styles_contents_and_strokes(fake_atelier, tmp_path):
    first, index = opened(tmp_path, cache_images=0)
    second, other = opened(tmp_path, cache_images=0, seed=1)
    assert not set(index.style_prompts) & set(other.style_prompts)
    strokes = [source.load(range(24)) for source in (first, second)]
    assert [image[0, 0, 2] for image in strokes[0]] != [image[0, 0, 2] for image in strokes[1]]


@pytest.mark.parametrize(
    "settings", [{"num_styles": 0}, {"num_contents": 3}, {"held_out_styles": -1}, {"cache_images": -1}]
)
def test_impossible_settings_are_refused_by_name(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        AtelierSource(**({"contents_per_style": 4} | settings))


def test_real_atelier_draws_what_it_samples(tmp_path):
    source = AtelierSource(
        num_styles=3, contents_per_style=2, num_contents=4, held_out_styles=2, cache_images=4
    )
    index = source.open(64, tmp_path, 0)
    images = source.load(range(10))
    assert np.stack(images).shape == (10, 64, 64, 3)
    assert min(image.std() for image in images) > 1
    assert len(set(index.style_prompts)) == 7


def test_medium_and_number_of_things_reach_the_atelier(fake_atelier, tmp_path):
    source = AtelierSource(
        num_styles=4, contents_per_style=2, num_contents=4, held_out_styles=0, medium="ink line"
    )
    index = source.open(64, tmp_path, 0)
    assert all(prompt.endswith("ink line") for prompt in index.style_prompts)
    other = AtelierSource(num_styles=4, contents_per_style=2, num_contents=4, held_out_styles=0)
    other.open(64, tmp_path, 0)
    assert source.digest() != other.digest()


def test_training_images_show_one_and_more_things_as_often_as_asked(tmp_path):
    settings = {"num_styles": 400, "contents_per_style": 3, "num_contents": 300, "cache_images": 0}
    settings |= {"image_size": 64, "repertoire": "mini"}
    (_, plain), (source, index) = (
        opened(tmp_path, **settings),
        opened(tmp_path, **settings, thing_shares=[5, 3, 2]),
    )
    train = index.splits == 0
    assert np.array_equal(plain.content_ids[~train], index.content_ids[~train])
    scenes, _, _ = source.drawn_from(np.flatnonzero(train))
    found = np.bincount([len(scene.objects) for scene in scenes], minlength=4)[1:] / len(scenes)
    np.testing.assert_allclose(found, [0.5, 0.3, 0.2], atol=0.04)
    used = index.content_ids[train]
    assert all(len(set(contents)) == 3 for contents in used.reshape(400, 3).tolist())
    of_one = [content for content, scene in zip(used, scenes, strict=True) if len(scene.objects) == 1]
    counts = np.unique(of_one, return_counts=True)[1]
    assert counts.max() <= 2 * counts.min(), "contents of as many things come about as often"


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ([0, 0], "not all 0"),
        ([1, -1], "not all 0"),
        ([1, 1, 1, 1, 1], "4 numbers at most"),
        ([0, 0, 0, 1], r"\d of 12 contents show 4 .* set thing_shares\[3\] to 0"),
    ],
)
def test_shares_of_things_that_cannot_be_had_are_refused(tmp_path, shares, told):
    with pytest.raises(ConfigError, match=told):
        opened(tmp_path, image_size=64, thing_shares=shares)
