"""Several references for each row of a batch, without loading more images."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from stylekit.errors import ConfigError

__all__ = ["of_same_style"]


def of_same_style(
    references: Float[Tensor, "n ..."], style_ids: Int[Tensor, " n"], count: int
) -> list[Float[Tensor, "n ..."]]:
    """Return for each row its own reference, then those of the next rows of its style, around in a circle.

    A style with fewer rows than wanted, where images could not be read, gives its own again.
    """
    numbers = style_ids.tolist()
    rows_of: dict[int, list[int]] = {}
    for row, number in enumerate(numbers):
        rows_of.setdefault(number, []).append(row)
    if count > max(map(len, rows_of.values())):
        raise ConfigError(
            f"method.num_references={count} needs as many pairs of each style in a batch: set "
            f"data.images_per_style={2 * count} and data.val_images_per_style={2 * count}."
        )
    found = []
    for step in range(count):
        turned = list(range(len(numbers)))
        for rows in rows_of.values():
            for place, row in enumerate(rows):
                turned[row] = rows[(place + step) % len(rows)]
        found.append(references[turned])
    return found
