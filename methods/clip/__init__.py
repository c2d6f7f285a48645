"""CLIP: the generic image-text towers whose patches and texts generators' methods stand on."""

from methods.clip.clip import CLIP

__all__ = ["CLIP"]
