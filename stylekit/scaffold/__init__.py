"""Begin a plug-in: a package that works and passes the suite, to be filled with one's own."""

from stylekit.scaffold.method import new_method

__all__ = ["new_method"]
