"""MegaStyle-Encoder: a SigLIP image tower whose directions are styles."""

from methods.megastyle_encoder.contrast import image_style_contrast
from methods.megastyle_encoder.megastyle_encoder import MegaStyleEncoder

__all__ = ["MegaStyleEncoder", "image_style_contrast"]
