"""Films in batches: what their prompts say, drawn once, the same for any number of processes and workers."""

import pickle

import numpy as np
import pytest
import torch
from lightning.pytorch.utilities import move_data_to_device
from torch import nn

from datamodules.atelier import AtelierSource
from datamodules.moving_scenes import MovingScenesDataModule
from stylekit.atelier import MovingScene, Style, draw_films
from stylekit.errors import ConfigError, DataError
from stylekit.split import split_of


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.layer = nn.Conv2d(3, 2, 4, stride=4)
        self.seen = 0

    def encode(self, images):
        self.seen += len(images)
        return self.layer(images)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("films")


@pytest.fixture
def data(cache):
    def make_data(cache_dir=cache, cache_images=0, **settings):
        source = AtelierSource(
            num_styles=8, contents_per_style=2, num_contents=6, held_out_styles=2,
            cache_images=cache_images, repertoire="mini",
        )  # fmt: skip
        defaults = {"frames": 3, "styles_per_batch": 4, "val_styles": 2, "cache_dir": str(cache_dir)}
        return MovingScenesDataModule(source, **(defaults | settings))

    return make_data


def test_films_are_what_their_prompts_say(data):
    module = data()
    batch = module.train_batches(0)(0, 0, 1)
    assert batch.films.shape == (4, 3, 3, 64, 64)
    assert torch.equal(batch.images, batch.films[:, 0])
    assert len(set(batch.style_ids.tolist())) == 4
    scenes, styles, seeds = module.drawn_from(range(16))
    films = draw_films(scenes, styles, seeds, 3)
    rows = {
        (scene.prompt(), style.prompt()): row
        for row, (scene, style) in enumerate(zip(scenes, styles, strict=True))
    }
    for film, content, style in zip(batch.films, batch.content_prompts, batch.style_prompts, strict=True):
        assert MovingScene.from_prompt(content).prompt() == content
        assert Style.from_prompt(style).prompt() == style
        torch.testing.assert_close(film, films[rows[content, style]])
        assert not torch.equal(film[0], film[-1])


def test_splits_are_those_of_style_and_scene(data):
    module = data()
    for split in ("train", "val", "test"):
        for batch in module.held_out(split):
            assert {split_of(style) for style in batch.style_prompts} == {split}
            scenes = [MovingScene.from_prompt(content).scene for content in batch.content_prompts]
            assert {split_of(scene.prompt()) for scene in scenes} == {split}
    counts = module.summary()
    assert counts["train"] == {"styles": 8, "contents": 6, "images": 16}
    assert counts["kept"] == len(list(module.examine())) == 24


def test_films_are_drawn_once(data, monkeypatch):
    data().prepare_data()
    monkeypatch.setattr(MovingScenesDataModule, "_draw", lambda *_: pytest.fail("drawn again"))
    module = data()
    module.prepare_data()
    assert len(list(module.val_batches())) == 1
    assert module.digest() == data().digest() != data(frames=4).digest()


@pytest.mark.parametrize("world_size", [2, 4])
def test_processes_share_each_batch(data, world_size):
    batches = data().train_batches(0)
    for position in range(3):
        shares = [batches(position, rank, world_size) for rank in range(world_size)]
        assert torch.equal(torch.cat([share.films for share in shares]), batches(position, 0, 1).films)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_loader_goes_on_where_it_was(data, num_workers):
    module = data(num_workers=num_workers)
    module.start_stage("one")
    module.load_state_dict({"position": 3, "stage": "one", "order": module.state_dict()["order"]})
    expected = data()
    expected.start_stage("one")
    batches = pickle.loads(pickle.dumps(expected.train_dataloader().dataset._batches))
    loaded = iter(module.train_dataloader())
    for position in (3, 4, 5):
        batch, wanted = next(loaded), batches(position, 0, 1)
        assert torch.equal(batch.films, wanted.films)
        assert batch.content_prompts == wanted.content_prompts


def test_latents_are_those_of_the_frames(data):
    encoder = Encoder()
    module = data(encoder=encoder)
    module.prepare_data()
    assert encoder.seen == 24 * 3
    again = Encoder()
    batch = data(encoder=again).train_batches(0)(2, 0, 1)
    assert again.seen == 0
    assert batch.latents.shape == (4, 3, 2, 16, 16)
    with torch.no_grad():
        direct = encoder.encode(batch.films.flatten(0, 1)).unflatten(0, (4, 3))
    torch.testing.assert_close(batch.latents, direct, rtol=1e-3, atol=1e-3)
    assert torch.equal(batch.films, data().train_batches(0)(2, 0, 1).films)
    assert module.order_digest() == data().order_digest()


def test_lightning_moves_films(data):
    batch = data().train_batches(0)(0, 0, 1)
    moved = move_data_to_device(batch, torch.device("meta"))
    assert type(moved) is type(batch)
    assert moved.films.device.type == "meta"
    assert moved.images.shape == (4, 3, 64, 64)
    assert moved.latents is None


def test_errors_say_what_to_set(data):
    with pytest.raises(ConfigError, match=r"source\.cache_images=0"):
        data(cache_images=10)
    with pytest.raises(DataError, match="styles_per_batch to 8 or less"):
        data(styles_per_batch=9).train_batches(0)
    with pytest.raises(DataError, match=r"raise data\.source\.num_styles"):
        data(films_per_style=3).train_batches(0)


def test_every_film_of_a_scene_moves_alike(data):
    module = data()
    scenes, _, _ = module.drawn_from(range(16))
    motions = {}
    for scene in scenes:
        assert motions.setdefault(scene.scene.prompt(), scene.motions) == scene.motions
    assert np.unique([motion for chosen in motions.values() for motion in chosen]).size > 2
