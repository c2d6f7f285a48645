"""Batches with latents: those of the images in the batch, whatever the order, the layout and the workers."""

import pickle
import time
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.utilities import move_data_to_device
from torch import nn

from datamodules.atelier import AtelierSource
from datamodules.folder import FolderSource
from datamodules.parquet import ParquetSource
from datamodules.synthesized import SynthesizedStyleDataModule
from stylekit.errors import ConfigError, DataError


class Encoder(nn.Module):
    """Two channels at a quarter of the size, each image by itself."""

    def __init__(self, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.layer = nn.Conv2d(3, 2, 4, stride=4)
        self.seen = 0

    def encode(self, images):
        assert not self.training
        assert not torch.is_grad_enabled()
        self.seen += len(images)
        return self.layer(images)


@pytest.fixture
def data(parquet_folder, tmp_path):
    def make_data(source=None, encoder=None, **settings):
        defaults = {"image_size": 16, "styles_per_batch": 4, "val_styles": 2, "val_images_per_style": 4}
        plain = {"flip_probability": 0.0, "min_crop_area": 1.0, "cache_dir": str(tmp_path / "cache")}
        source = source or ParquetSource(str(parquet_folder))
        return SynthesizedStyleDataModule(source, encoder=encoder, **(defaults | plain | settings))

    return make_data


def encoded(images):
    with torch.no_grad():
        return Encoder().eval().encode(images)


def close(latents, images):
    torch.testing.assert_close(latents, encoded(images), rtol=1e-3, atol=1e-3)  # kept as float16


def test_latents_are_those_of_the_images(data):
    module = data(encoder=Encoder())
    batches = module.train_batches(0)
    for position in range(3):
        batch = batches(position, 0, 1)
        assert batch.latents.shape == (8, 2, 4, 4)
        close(batch.latents, batch.images)
    for batch in module.val_batches():
        close(batch.latents, batch.images)
    assert all(batch.latents is None for batch in module.held_out("test"))


def test_another_validation_encodes_its_own_images_alone(data):
    data(encoder=Encoder()).prepare_data()
    again = Encoder()
    module = data(encoder=again, val_styles=1, val_images_per_style=2, layout="pairs")
    module.prepare_data()
    assert again.seen == 2
    batch = module.train_batches(0)(0, 0, 1)
    close(batch.latents, batch.images)
    (batch,) = module.val_batches()
    close(batch.latents, batch.images)


def test_data_that_cannot_be_trained_on_are_refused_only_where_they_would_be_encoded(data):
    encoder = Encoder()
    with pytest.raises(DataError, match="No style of the train split"):
        data(encoder=encoder, images_per_style=1000).prepare_data()
    assert not encoder.seen
    data(images_per_style=1000).prepare_data()  # such data may be scored on, without training


def test_latents_of_pairs_go_with_their_images(data):
    batch = data(encoder=Encoder(), layout="pairs").train_batches(0)(1, 0, 1)
    close(batch.latents, batch.images)
    close(batch.reference_latents, batch.references)
    assert not torch.equal(batch.latents, batch.reference_latents)


def test_images_that_are_not_square_are_cut_in_the_middle(data, make, tmp_path):
    rows = make.rows(10, 4)
    wide = [(make.png((9 * i, 5, 7), (48, 32)), style, content) for i, (_, style, content) in enumerate(rows)]
    make.folder(tmp_path / "f", wide)
    batch = data(FolderSource(str(tmp_path / "f")), Encoder(), val_styles=0).train_batches(0)(0, 0, 1)
    close(batch.latents, batch.images)


def test_encoding_is_done_once_before_training(data):
    encoder = Encoder()
    module = data(encoder=encoder)
    module.prepare_data()
    assert encoder.seen == 40 + 8  # ten styles of four images to train on, two to validate on
    assert encoder.training
    module.train_batches(0)(0, 0, 1)
    again = Encoder()
    data(encoder=again).prepare_data()
    assert (encoder.seen, again.seen) == (48, 0)
    other = Encoder(seed=1)
    data(encoder=other).prepare_data()
    assert other.seen == 48


def test_order_of_training_is_that_without_latents(data):
    with_latents, without = data(encoder=Encoder()), data()
    assert with_latents.order_digest() == without.order_digest()
    for position in (0, 5):
        batch = with_latents.train_batches(3)(position, 0, 1)
        assert torch.equal(batch.images, without.train_batches(3)(position, 0, 1).images)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_resumed_loader_goes_on_where_it_was(data, num_workers):
    module = data(encoder=Encoder(), num_workers=num_workers)
    module.start_stage("one")
    module.load_state_dict({"position": 5, "stage": "one", "order": module.state_dict()["order"]})
    expected = data(encoder=Encoder())
    expected.start_stage("one")
    batches = expected.train_dataloader().dataset._batches
    loaded = iter(module.train_dataloader())
    for position in (5, 6, 7):
        batch = next(loaded)
        assert torch.equal(batch.latents, batches(position, 0, 1).latents)
        close(batch.latents, batch.images)


def test_batches_can_be_pickled_without_the_encoder(data):
    batches = data(encoder=Encoder()).train_batches(0)
    pickled = pickle.dumps(batches)
    assert b"Encoder" not in pickled
    assert torch.equal(pickle.loads(pickled)(2, 0, 1).latents, batches(2, 0, 1).latents)


def test_undecodable_images_do_not_matter(data, make, tmp_path):
    rows = make.rows(6, 4)
    broken = [
        (b"junk" if i % 4 == 1 else image, style, content) for i, (image, style, content) in enumerate(rows)
    ]
    make.folder(tmp_path / "f", broken)
    module = data(FolderSource(str(tmp_path / "f")), Encoder(), val_styles=0)
    for position in range(6):
        batch = module.train_batches(0)(position, 0, 1)
        close(batch.latents, batch.images)


@pytest.mark.parametrize("setting", [{"flip_probability": 0.5}, {"min_crop_area": 0.8}])
def test_augmentation_is_refused(data, setting):
    with pytest.raises(ConfigError, match=r"flip_probability=0.0 .* data.min_crop_area=1.0"):
        data(encoder=Encoder(), **setting)


def test_encoder_must_be_a_module(data):
    module = data(encoder=SimpleNamespace(encode=encoded))
    with pytest.raises(ConfigError, match=r"must be a module of torch, not SimpleNamespace"):
        module.prepare_data()


def test_lightning_moves_batches_with_and_without_latents(data):
    for encoder in (None, Encoder()):
        batch = data(encoder=encoder).train_batches(0)(0, 0, 1)
        moved = move_data_to_device(batch, torch.device("meta"))
        assert type(moved) is type(batch)
        assert moved.images.device.type == "meta"
        assert moved.style_prompts == batch.style_prompts
        assert (moved.latents is None) if encoder is None else (moved.latents.device.type == "meta")


def test_a_batch_costs_little(tmp_path):
    source = AtelierSource(num_styles=70, contents_per_style=4, num_contents=40, held_out_styles=0)
    module = SynthesizedStyleDataModule(
        source, 64, 32, 2, val_styles=0, flip_probability=0.0, min_crop_area=1.0,
        cache_dir=str(tmp_path), encoder=Encoder(),
    )  # fmt: skip
    batches = module.train_batches(0)
    batches(0, 0, 1)
    costs = []
    for position in range(20):
        start = time.perf_counter()
        batches(position, 0, 1)
        costs.append(time.perf_counter() - start)
    assert min(costs) < 0.01  # two milliseconds on an idle machine
