from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from stylekit.errors import ConfigError
from stylekit.foundation.depth import DepthAnything


def lay_out(folder: Path, **other: object) -> Path:
    """Save a real Depth Anything of random weights, as the hub lays it out."""
    torch.manual_seed(0)
    backbone = Dinov2Config(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=2, image_size=56, patch_size=14,
        out_indices=[1, 2, 3, 4], reshape_hidden_states=False,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, patch_size=14, reassemble_hidden_size=16, neck_hidden_sizes=[4, 8, 8, 8],
        fusion_hidden_size=8, head_hidden_size=4, **other,
    )  # fmt: skip
    model = DepthAnythingForDepthEstimation(config)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    torch.nn.init.constant_(model.head.conv3.bias, 5.0)  # its last step cuts off what lies below 0
    model.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("tiny_depth"))


def test_depth_is_that_of_the_model_stretched_to_each_images_range(folder: Path) -> None:
    images = torch.rand(2, 3, 56, 56)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    pixels = (images - mean[:, None, None]) / std[:, None, None]
    raw = DepthAnythingForDepthEstimation.from_pretrained(folder)(pixel_values=pixels).predicted_depth
    wanted = torch.stack([(one - one.min()) / (one.max() - one.min()) for one in raw])
    depth = DepthAnything(str(folder), image_size=56).depth(images)
    torch.testing.assert_close(depth, wanted)
    assert depth.amin((1, 2)).tolist() == [0.0, 0.0]
    assert depth.amax((1, 2)).tolist() == [1.0, 1.0]


def test_depth_has_the_shape_of_the_images_at_any_size(folder: Path) -> None:
    model = DepthAnything(str(folder), image_size=56)
    rows = torch.rand(1, 3, 28, 1)
    found = model.depth(rows.expand(-1, -1, -1, 100))
    assert found.shape == (1, 28, 100)
    square = F.interpolate(rows.expand(-1, -1, -1, 56), (56, 56), mode="bicubic", antialias=True).clamp(0, 1)
    near = F.interpolate(model.depth(square)[:, None], (28, 100), mode="bilinear", antialias=True)[:, 0]
    torch.testing.assert_close(found, (near - near.min()) / (near.max() - near.min()), atol=1e-4, rtol=0)


def test_one_without_depth_is_0_all_over(folder: Path) -> None:
    model = DepthAnything(str(folder), image_size=56)
    model.model.head.conv3.weight.zero_()
    assert torch.equal(model.depth(torch.rand(1, 3, 20, 30)), torch.zeros(1, 20, 30))


def test_what_does_not_fit_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="multiple of the patch, 14 px, not 64"):
        DepthAnything(str(folder), image_size=64)
    with pytest.raises(ConfigError, match="metres"):
        DepthAnything(str(lay_out(tmp_path, depth_estimation_type="metric", max_depth=20)), image_size=56)
