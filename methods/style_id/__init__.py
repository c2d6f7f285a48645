"""StyleID (arXiv 2312.09008), a training-free baseline."""

from methods.style_id.style_id import StyleID

__all__ = ["StyleID"]
