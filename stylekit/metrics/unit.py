"""Units of metrics: what range they have, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

__all__ = ["UNITS", "Better", "Unit", "UnitForm", "unit_note"]

Unit = Literal[
    "percent", "points", "cosine", "distance", "ratio", "dB", "fid", "kid", "seconds", "bytes", "images",
    "regions",
]  # fmt: skip
Better = Literal["higher", "lower", "neither"]
"""Which values of a metric are to be wished for; neither where it only says how things are."""


class UnitForm(NamedTuple):
    """How values of one unit are written."""

    symbol: str
    """Behind the name of a metric; empty for percent, which goes without saying."""
    limits: tuple[float, float]
    """The range of the values; an interval is cut to it."""
    factor: float = 1.0
    """From the value as it is kept to the number that is written."""
    decimals: int = 1

    @property
    def difference_limits(self) -> tuple[float, float]:
        """The range of a difference of two values."""
        width = self.limits[1] - self.limits[0]
        return -width, width

    def write(self, mean: float, low: float, high: float, signed: bool = False) -> str:
        """Write a mean and its interval."""
        pattern = f"{'+' if signed else ''}.{self.decimals}f"
        shown = [f"{self.factor * value:{pattern}}" for value in (mean, low, high)]
        return f"{shown[0]} [{shown[1]}, {shown[2]}]"


UNITS: dict[Unit, UnitForm] = {
    "percent": UnitForm("", (0.0, 1.0), factor=100.0),
    # Of percentages subtracted from one another, where that is the metric itself.
    "points": UnitForm("points", (-1.0, 1.0), factor=100.0),
    "cosine": UnitForm("cosine", (-1.0, 1.0), decimals=3),
    # Of a length in a space that the metric names, or 1 - cosine.
    "distance": UnitForm("distance", (0.0, math.inf), decimals=3),
    # Of what was reached to what can be: 1 at most, 0 by chance or below.
    "ratio": UnitForm("of 1", (-1.0, 1.0), decimals=3),
    "dB": UnitForm("dB", (-math.inf, math.inf), decimals=2),
    "fid": UnitForm("distance", (0.0, math.inf)),
    # Unbiased, so it may fall below zero.
    "kid": UnitForm("x 1000", (-math.inf, math.inf), factor=1000.0, decimals=2),
    "seconds": UnitForm("s", (0.0, math.inf), decimals=3),
    "bytes": UnitForm("MiB", (0.0, math.inf), factor=2.0**-20, decimals=0),
    "images": UnitForm("images", (0.0, math.inf)),
    "regions": UnitForm("regions", (0.0, math.inf)),
}


def unit_note(units: Iterable[Unit]) -> str:
    """Say in what the numbers of a table are."""
    return "percent where no unit is named" if set(units) - {"percent"} else "percent"
