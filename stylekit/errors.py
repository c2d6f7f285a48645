"""The errors that a user can cause or cure, each with the exit code of the command line."""

from __future__ import annotations

from typing import ClassVar

__all__ = ["ConfigError", "DataError", "MissingError", "StylekitError"]


class StylekitError(Exception):
    """An error whose message tells the user what to do; shown without a traceback."""

    exit_code: ClassVar[int] = 1


class ConfigError(StylekitError, ValueError):
    """Something in a config file, an override or a call is wrong."""

    exit_code: ClassVar[int] = 2


class DataError(StylekitError, ValueError):
    """The data cannot be used as it is."""

    exit_code: ClassVar[int] = 3


class MissingError(StylekitError):
    """Weights, an optional dependency or a plug-in are not there."""

    exit_code: ClassVar[int] = 4
