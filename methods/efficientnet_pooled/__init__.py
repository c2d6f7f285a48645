"""A baseline: what a network for recognising objects knows of an image."""

from methods.efficientnet_pooled.efficientnet_pooled import EfficientNetPooled

__all__ = ["EfficientNetPooled"]
