"""A training-free baseline: images are alike in style when their colours are."""

from methods.colour_histogram.colour_histogram import ColourHistogram

__all__ = ["ColourHistogram"]
