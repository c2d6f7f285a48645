"""Losses that more than one method uses, as pure torch functions."""

from stylekit.losses.sigmoid import sigmoid_contrast
from stylekit.losses.supervised import supervised_contrast

__all__ = ["sigmoid_contrast", "supervised_contrast"]
