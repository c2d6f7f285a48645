"""A baseline: statistics of early features, the classical measure of texture."""

from methods.efficientnet_early.efficientnet_early import EfficientNetEarly

__all__ = ["EfficientNetEarly"]
