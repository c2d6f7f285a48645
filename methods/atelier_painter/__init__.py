"""A baseline: the atelier itself, the upper bound of what generators trained on its drawings can show."""

from methods.atelier_painter.atelier_painter import AtelierPainter

__all__ = ["AtelierPainter"]
