"""For authors of plug-ins: the suite that every method is held to."""

from stylekit.testing.conformance import check_method

__all__ = ["check_method"]
