"""Rendering: references x prompts x seeds to a folder of images."""

from stylekit.rendering.rendering import Rendered, render

__all__ = ["Rendered", "render"]
