"""What a judge reads in images: which things, how many, where, and in which style."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Reading"]


class Reading(NamedTuple):
    """One row for each image, one column for each thing that the judge knows."""

    things: tuple[str, ...]
    """Names of the columns."""
    presence: Float[Tensor, "n t"]
    """Probability that the thing is to be seen."""
    present: Bool[Tensor, "n t"]
    """The probability is above the thing's calibrated threshold."""
    counts: Int[Tensor, "n t"]
    """How many of the thing, 1 to 3; 0 where it is not present."""
    centres: Float[Tensor, "n t 2"]
    """Middle of all of the thing that is seen, x and y in [0, 1], y downwards; means little where absent."""
    words: Mapping[str, tuple[str, ...]]
    """For each field of a style the words among which the judge chooses."""
    style: Mapping[str, Float[Tensor, "n w"]]
    """For each field the probabilities of its words."""

    def cpu(self) -> Reading:
        """Move it to main memory."""
        style = {field: values.cpu() for field, values in self.style.items()}
        moved = {name: getattr(self, name).cpu() for name in ("presence", "present", "counts", "centres")}
        return self._replace(**moved, style=style)
