import pytest
import torch

from methods.efficientnet_early import EfficientNetEarly
from methods.efficientnet_early.statistics import channel_statistics
from methods.efficientnet_pooled import EfficientNetPooled


def test_statistics_are_mean_and_deviation_of_each_channel():
    features = torch.tensor([[[[1.0, 3.0], [1.0, 3.0]], [[5.0, 5.0], [5.0, 5.0]]]])
    assert channel_statistics(features).tolist() == [[2.0, 5.0, 1.0, 0.0]]


def test_the_network_tells_content_and_its_early_layers_texture():
    """A ramp shown upside down has the same texture in another order."""
    pytest.importorskip("efficientnet_lite_pytorch")
    from stylekit.foundation.efficientnet import EfficientNetLite0

    net = EfficientNetLite0().train()
    assert not net.training
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    images = torch.cat([images, images.flip(3)])  # mirrored: statistics of places hardly change
    with torch.no_grad():
        early, pooled = EfficientNetEarly(net).embed(images), EfficientNetPooled(net).embed(images)
    assert early.shape == (4, 2 * (32 + 16 + 24 + 24))
    assert pooled.shape == (4, 1280)
    assert (early[0] @ early[2]) > 0.99
    assert (early[0] @ early[2]) > (pooled[0] @ pooled[2])
