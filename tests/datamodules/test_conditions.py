"""Pairs with what text encoders made of their prompts."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.utilities import move_data_to_device
from torch import nn

from datamodules.atelier import AtelierSource
from datamodules.synthesized import SynthesizedStyleDataModule
from stylekit.errors import ConfigError
from stylekit.foundation.flux import Flux, FluxPrompts


class Reader(nn.Module):
    """A prompt as its length and first letter."""

    def __init__(self, dtype=torch.float32, reads_with="letters"):
        super().__init__()
        self.reads_with = reads_with
        self.weight = nn.Parameter(torch.ones(1, dtype=dtype))
        self.seen = []

    def condition(self, prompts):
        assert not torch.is_grad_enabled()
        self.seen += prompts
        return {"numbers": read(prompts) * self.weight, "first": read(prompts)[:, None, 1:]}


def read(prompts):
    return torch.tensor([[len(prompt) / 7, float(ord(prompt[0]))] for prompt in prompts])


@pytest.fixture
def data(tmp_path):
    def make_data(**settings):
        source = AtelierSource(num_styles=12, contents_per_style=4, num_contents=10, held_out_styles=4)
        defaults = {"styles_per_batch": 4, "val_styles": 2, "val_images_per_style": 4, "layout": "pairs"}
        return SynthesizedStyleDataModule(source, cache_dir=str(tmp_path), **(defaults | settings))

    return make_data


def test_conditions_are_those_of_the_prompts_of_the_images(data):
    module = data(prompt_encoder=Reader())
    for batch in (module.train_batches(0)(0, 0, 1), module.train_batches(0)(3, 0, 1), *module.val_batches()):
        torch.testing.assert_close(batch.conditions["numbers"], read(batch.content_prompts))
        torch.testing.assert_close(batch.conditions["first"], read(batch.content_prompts)[:, None, 1:])


def test_each_prompt_is_read_once_before_training(data):
    reader = Reader()
    module = data(prompt_encoder=reader)
    module.prepare_data()
    assert len(reader.seen) == len(set(reader.seen)) > 4
    before = list(reader.seen)
    module.train_batches(0)(0, 0, 1)
    again = Reader()
    data(prompt_encoder=again).prepare_data()
    assert (reader.seen, again.seen) == (before, [])
    other = Reader(reads_with="words")
    data(prompt_encoder=other).prepare_data()
    assert other.seen == before


def test_what_is_kept_is_as_exact_as_the_encoder(data):
    module = data(prompt_encoder=Reader(torch.bfloat16))
    batch = module.train_batches(0)(0, 0, 1)
    expected = read(batch.content_prompts).bfloat16().float()
    assert torch.equal(batch.conditions["numbers"], expected)


def test_conditions_move_with_the_batch_and_are_none_without_an_encoder(data):
    assert data().train_batches(0)(0, 0, 1).conditions is None
    batch = move_data_to_device(data(prompt_encoder=Reader()).train_batches(0)(0, 0, 1), torch.device("meta"))
    assert batch.conditions["numbers"].device.type == "meta"


def test_what_cannot_be_used_is_refused(data):
    with pytest.raises(ConfigError, match=r"data\.layout=pairs"):
        data(prompt_encoder=Reader(), layout="classes")
    module = data(prompt_encoder=SimpleNamespace(condition=read))
    with pytest.raises(ConfigError, match="must be a module of torch, not SimpleNamespace"):
        module.prepare_data()


def test_flux_prompts_read_as_flux_does():
    prompts = ["A cat on the grass.", ""]
    expected = Flux("mini_flux").condition(prompts)
    found = FluxPrompts("mini_flux").condition(prompts)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(found[name], value), name
