"""Generators as they are, and how they are trained."""

from methods.text_to_image.alignment import Alignment
from methods.text_to_image.distillation import Distillation
from methods.text_to_image.text_to_image import TextToImage

__all__ = ["Alignment", "Distillation", "TextToImage"]
