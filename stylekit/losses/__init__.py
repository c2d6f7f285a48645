"""Losses that more than one method uses, as pure torch functions."""

from stylekit.losses.sigmoid import sigmoid_contrast

__all__ = ["sigmoid_contrast"]
