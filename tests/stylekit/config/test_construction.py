from __future__ import annotations

import functools
from pathlib import Path

import pytest
import torch

from stylekit.config import build
from stylekit.config.signature import convert
from stylekit.errors import ConfigError


def test_node_becomes_an_instance() -> None:
    layer = build({"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3})
    assert isinstance(layer, torch.nn.Linear)
    assert layer.weight.shape == (3, 2)


def test_partial_waits_for_the_rest() -> None:
    optimizer = build({"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 0.5, "betas": [0.5, 0.75]})
    assert isinstance(optimizer, functools.partial)
    assert optimizer([torch.zeros(1, requires_grad=True)]).defaults["betas"] == (0.5, 0.75)


def test_nodes_inside_lists_and_mappings_are_built() -> None:
    built = build(
        {"a": [{"_target_": "torch.nn.Identity"}], "b": {"c": {"_target_": "torch.nn.ReLU"}}, "d": 1}
    )
    assert isinstance(built["a"][0], torch.nn.Identity)
    assert isinstance(built["b"]["c"], torch.nn.ReLU)
    assert built["d"] == 1


def test_extra_keywords_replace_and_are_not_built_from_the_node() -> None:
    node = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": {"_target_": "os.system"}}
    assert build(node, out_features=5).weight.shape == (5, 2)


def test_building_leaves_the_node_as_it_was() -> None:
    node = {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3}
    build(node)
    assert node == {"_target_": "torch.nn.Linear", "in_features": 2, "out_features": 3}


def test_plain_values_pass_through() -> None:
    assert build(None) is None
    assert build(3) == 3


def test_value_of_the_wrong_type_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match=r"Linear\.in_features must be int, not 'two'"):
        build({"_target_": "torch.nn.Linear", "in_features": "two", "out_features": 3})


@pytest.mark.parametrize(
    ("value", "annotation", "expected"),
    [
        ([1, 2], tuple[int, ...], (1, 2)),
        ([1, 2], list[int], [1, 2]),
        ("a/b", Path, Path("a/b")),
        (1, float, 1.0),
        (1, int | float, 1),
        (None, int | None, None),
        ("x", torch.dtype | str, "x"),
        ({"a": 1}, dict[str, int], {"a": 1}),
        ({"1": [2, 3]}, dict[int, tuple[int, int]] | None, {1: (2, 3)}),
        (float("inf"), float, float("inf")),
        ("anything", torch.dtype, "anything"),
    ],
)
def test_values_become_what_the_annotation_asks(value: object, annotation: object, expected: object) -> None:
    converted = convert(value, annotation)
    assert converted == expected
    assert type(converted) is type(expected)
