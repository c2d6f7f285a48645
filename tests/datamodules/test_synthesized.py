"""Batches of styles from whole and broken data, under any number of processes and workers."""

import pickle

import numpy as np
import pytest
import torch

from datamodules.atelier import AtelierSource
from datamodules.folder import FolderSource
from datamodules.parquet import ParquetSource
from datamodules.synthesized import SynthesizedStyleDataModule
from stylekit.errors import ConfigError, DataError
from stylekit.split import split_of


@pytest.fixture
def data(parquet_folder, tmp_path):
    def make_data(source=None, **settings):
        defaults = {"image_size": 16, "styles_per_batch": 4, "images_per_style": 2, "val_styles": 2}
        plain = {"flip_probability": 0.0, "min_crop_area": 1.0, "cache_dir": str(tmp_path / "cache")}
        return SynthesizedStyleDataModule(
            source or ParquetSource(str(parquet_folder)), **(defaults | plain | settings)
        )

    return make_data


def equal(one, other):
    return all(
        torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b for a, b in zip(one, other, strict=True)
    )


def test_batch_holds_images_of_its_styles(data, make):
    rows = {(i * 7 % 256, i // 36, 9): row for i, row in enumerate(make.rows(10, 4))}
    batch = data().train_batches(0)(3, 0, 1)
    assert batch.images.shape == (8, 3, 16, 16)
    for i, colour in enumerate(make.colours(batch.images)):
        _, style, content = rows[tuple(colour)]
        assert (batch.style_prompts[i], batch.content_prompts[i]) == (style, content)
    assert (batch.style_ids[0::2] == batch.style_ids[1::2]).all()
    assert len(set(batch.style_ids.tolist())) == 4
    assert len(set(map(tuple, make.colours(batch.images)))) == 8


def test_pairs_are_two_images_of_one_style(data, make):
    classes = data(images_per_style=4).train_batches(0)(1, 0, 1)
    pairs = data(images_per_style=4, layout="pairs").train_batches(0)(1, 0, 1)
    assert torch.equal(pairs.references, classes.images[0::2])
    assert torch.equal(pairs.images, classes.images[1::2])
    assert pairs.style_ids.tolist() == classes.style_ids[1::2].tolist()
    assert pairs.content_prompts == classes.content_prompts[1::2]
    assert len(set(map(tuple, make.colours(torch.cat([pairs.references, pairs.images]))))) == 16


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_share_each_batch(data, world_size):
    augmented = {"flip_probability": 0.5, "min_crop_area": 0.5}
    whole = data(**augmented).train_batches(0)
    parts = [data(**augmented).train_batches(0) for _ in range(world_size)]
    for position in range(5):
        shares = [part(position, rank, world_size) for rank, part in enumerate(parts)]
        assert torch.equal(torch.cat([share.images for share in shares]), whole(position, 0, 1).images)


def test_order_is_a_function_of_seed_and_position(data):
    forward = [data().train_batches(0)(i, 0, 1) for i in range(4)]
    batches = data().train_batches(0)
    assert all(equal(batches(i, 0, 1), forward[i]) for i in (3, 1, 0, 2))
    assert not equal(data().train_batches(1)(0, 0, 1), forward[0])


@pytest.mark.parametrize("num_workers", [0, 2])
def test_loader_goes_through_the_batches(data, num_workers):
    module = data(num_workers=num_workers, flip_probability=0.5, min_crop_area=0.8)
    module.start_stage("one")
    module.load_state_dict({"position": 5, "stage": "one", "order": module.state_dict()["order"]})
    expected = data(flip_probability=0.5, min_crop_area=0.8)
    expected.start_stage("one")
    batches = expected.train_dataloader().dataset._batches
    loaded = iter(module.train_dataloader())
    assert all(equal(next(loaded), batches(position, 0, 1)) for position in (5, 6, 7))


def test_batches_can_be_pickled_for_workers(data):
    batches = data().train_batches(0)
    assert equal(pickle.loads(pickle.dumps(batches))(2, 0, 1), batches(2, 0, 1))


def test_augmentation_is_seeded_by_place(data, make, tmp_path):
    ramp = np.arange(16, dtype=np.uint8).repeat(3).reshape(1, 16, 3).repeat(16, 0) * 16

    class Ramps(FolderSource):
        def load(self, rows):
            return [ramp for _ in rows]

    make.folder(tmp_path / "f", make.rows(10, 4))
    source = Ramps(str(tmp_path / "f"))
    flipped = data(source, val_styles=0, flip_probability=0.5).train_batches(0)
    images = torch.cat([flipped(position, 0, 1).images for position in range(50)])
    is_flipped = images[:, 0, 0, 0] > images[:, 0, 0, -1]
    assert 0.4 < is_flipped.float().mean() < 0.6
    assert torch.equal(images[~is_flipped][0, 0, 0], torch.arange(16) * 16 / 255)
    cropped = data(source, val_styles=0, min_crop_area=0.8).train_batches(0)(0, 0, 1).images
    spans = cropped[:, 0, 0, -1] - cropped[:, 0, 0, 0]
    assert (spans > 0.85 * (240 / 255)).all()
    assert len(set(spans.tolist())) > 4


def test_undecodable_image_is_replaced_by_another_of_its_style(data, make, tmp_path):
    rows = make.rows(6, 4)
    broken = [
        (b"junk" if i % 4 == 1 else image, style, content) for i, (image, style, content) in enumerate(rows)
    ]
    make.folder(tmp_path / "f", broken)
    module = data(FolderSource(str(tmp_path / "f")), val_styles=0)
    batches, again = module.train_batches(0), data(FolderSource(str(tmp_path / "f"))).train_batches(0)
    style_of = {(i * 7 % 256, i // 36, 9): style for i, (_, style, _) in enumerate(rows)}
    for position in range(12):
        batch = batches(position, 0, 1)
        assert [style_of[tuple(colour)] for colour in make.colours(batch.images)] == batch.style_prompts
        assert len(set(map(tuple, make.colours(batch.images)))) == 8
        assert equal(batch, again(position, 0, 1))
    assert module.summary()["dropped"] == {"not an image of a known format": 6}
    assert [rejection.where for rejection in module.rejections()] == [f"{i:04}.png" for i in range(1, 24, 4)]


def test_style_without_any_image_is_replaced_by_another_style(data, make, tmp_path):
    rows = [(b"junk" if i < 8 else image, *prompts) for i, (image, *prompts) in enumerate(make.rows(16, 4))]
    make.folder(tmp_path / "f", rows)
    source = FolderSource(str(tmp_path / "f"))
    for position in range(10):
        whole = data(source, val_styles=0).train_batches(0)(position, 0, 1)
        halves = [data(source, val_styles=0).train_batches(0)(position, rank, 2) for rank in (0, 1)]
        assert len(set(whole.style_prompts)) == 4
        assert set(whole.style_prompts).isdisjoint({style for _, style, _ in rows[:8]})
        assert torch.equal(torch.cat([half.images for half in halves]), whole.images)


def test_an_image_is_never_paired_with_itself(data, make, tmp_path):
    rows = [
        (b"junk" if i % 4 == 0 else image, *prompts) for i, (image, *prompts) in enumerate(make.rows(32, 2))
    ]
    make.folder(tmp_path / "f", rows)  # of every other style one image is left
    batches = data(FolderSource(str(tmp_path / "f")), val_styles=0, layout="pairs").train_batches(0)
    for position in range(8):
        pairs = batches(position, 0, 1)
        assert len(set(pairs.style_prompts)) == 4
        for one, other in zip(make.colours(pairs.references), make.colours(pairs.images), strict=True):
            assert tuple(one) != tuple(other)


def test_nothing_decodable_is_an_error(data, make, tmp_path):
    make.folder(tmp_path / "f", [(b"junk", *prompts) for _, *prompts in make.rows(8, 4)])
    with pytest.raises(DataError, match="data check"):
        data(FolderSource(str(tmp_path / "f")), val_styles=0).train_batches(0)(0, 0, 1)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_validation_batches_are_of_the_split_and_always_the_same(data, num_workers):
    module = data(num_workers=num_workers, val_styles=3, styles_per_batch=2, flip_probability=1.0)
    first, second = list(module.val_dataloader()), list(module.val_dataloader())
    assert [len(batch.images) for batch in first] == [8, 4]
    assert all(equal(one, other) for one, other in zip(first, second, strict=True))
    assert all(split_of(style) == "val" for batch in first for style in batch.style_prompts)
    assert all(split_of(content) == "val" for batch in first for content in batch.content_prompts)


def test_held_out_yields_every_test_style_once(data):
    batches = list(data().held_out("test"))
    styles = [style for batch in batches for style in batch.style_prompts]
    assert len(styles) == 12
    assert {styles.count(style) for style in styles} == {4}
    assert all(split_of(style) == "test" for style in styles)


def test_no_validation_needs_no_validation_styles(data, make, tmp_path):
    make.folder(tmp_path / "f", make.rows(8, 4))
    source = FolderSource(str(tmp_path / "f"))
    assert data(source, val_styles=0).val_dataloader() == []
    with pytest.raises(DataError, match=r"data\.source\.val_fraction"):
        data(source).val_dataloader()


def test_no_usable_style_names_the_setting(data, make, tmp_path):
    make.folder(tmp_path / "f", make.rows(8, 1))
    with pytest.raises(DataError, match=r"8 x too few images.*data\.images_per_style"):
        data(FolderSource(str(tmp_path / "f"))).train_batches(0)


def test_too_few_styles_for_a_batch_names_the_setting(data):
    with pytest.raises(DataError, match=r"data\.styles_per_batch to 10 or less"):
        data(styles_per_batch=11).train_batches(0)


def test_processes_that_do_not_divide_the_styles_are_refused(data):
    class Trainer:
        world_size = 3

    module = data()
    module.trainer = Trainer()
    with pytest.raises(ConfigError, match="multiple of 3"):
        module.train_batches(0)


@pytest.mark.parametrize(
    "settings",
    [
        {"layout": "triples"},
        {"layout": "pairs", "images_per_style": 3},
        {"image_size": 4},
        {"styles_per_batch": 0},
        {"min_crop_area": 0.0},
        {"flip_probability": 1.5},
    ],
)
def test_impossible_settings_are_refused_by_name(data, settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        data(**settings)


def test_summary_counts_every_row(data, make, parquet_folder):
    make.shard(parquet_folder / "d.parquet", [*make.rows(1, 1, split="val"), (b"", None, "c")])
    assert data().summary() == {
        "rows": 66,
        "train": {"styles": 10, "contents": 3, "images": 40},
        "val": {"styles": 3, "contents": 3, "images": 13},
        "test": {"styles": 3, "contents": 3, "images": 12},
        "kept": 65,
        "dropped": {"no style": 1},
    }


def test_order_digest_follows_data_and_batches(data, make, parquet_folder):
    digests = [data().order_digest(), data().order_digest(), data(styles_per_batch=5).order_digest()]
    make.shard(parquet_folder / "d.parquet", make.rows(11, 2)[20:])
    digests.append(data().order_digest())
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_atelier_with_and_without_a_pool_gives_the_same_batches(data, fake_atelier):
    settings = {"num_styles": 6, "contents_per_style": 4, "num_contents": 12, "held_out_styles": 3}
    pooled = data(AtelierSource(**settings)).train_batches(0)
    fresh = data(AtelierSource(cache_images=0, **settings)).train_batches(0)
    for position in range(6):
        assert equal(pooled(position, 0, 1), fresh(position, 0, 1))
