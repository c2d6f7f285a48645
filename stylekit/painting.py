"""Rows of one style to images, in training and afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.errors import DataError, StylekitError
from stylekit.method import ExplainingRenderer, Explanation, StyleRenderer

__all__ = ["Painted", "Painter", "Row", "paint", "paint_explained"]

_AT_FIRST = 8
_MOST = 256


class Row(NamedTuple):
    """What is wanted of one image beside its style."""

    prompt: str
    seed: int
    content: Float[Tensor, "3 h w"] | None = None


class Painted(NamedTuple):
    """One image or film, and how it came about where the method tells."""

    image: Float[Tensor, "3 h w"] | Float[Tensor, "t 3 h w"]
    explanation: Explanation | None = None


def paint(
    method: StyleRenderer[Any], style: Any, rows: Sequence[Row]
) -> Float[Tensor, "n 3 h w"] | Float[Tensor, "n t 3 h w"]:
    """Render rows at once; their contents have one size, or none has any."""
    return _stored(method, method.render(style, *_columns(method, rows)))


def paint_explained(
    method: ExplainingRenderer[Any], style: Any, rows: Sequence[Row]
) -> tuple[Float[Tensor, "n 3 h w"], list[Explanation]]:
    """Render rows at once, as `paint` does, and explain each image."""
    images, explanations = method.render_explained(style, *_columns(method, rows))
    return _stored(method, images), explanations


class Painter:
    """Renders any number of rows, in batches that fit the device.

    Args:
        method: What renders.
        batch_size: Images at once; null for as many as fit, beginning with few.
    """

    def __init__(self, method: StyleRenderer[Any], batch_size: int | None) -> None:
        self.method = method
        self.is_fixed = batch_size is not None
        self.batch_size = batch_size or _AT_FIRST

    def paint(self, style: Any, rows: Sequence[Row]) -> Iterator[tuple[int, Painted | StylekitError]]:
        """Yield the place of each row with its image, or with what the method refused it for."""
        waiting = list(range(len(rows)))
        while waiting:
            shape = _shape(rows[waiting[0]])
            batch = [place for place in waiting if _shape(rows[place]) == shape][: self.batch_size]
            self._used()
            try:
                painted = self._at_once(style, [rows[place] for place in batch])
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                self.batch_size, self.is_fixed = len(batch) // 2, True
                torch.cuda.empty_cache()
                continue
            except StylekitError as error:
                if len(batch) == 1:
                    yield batch[0], error
                else:
                    yield from self._one_by_one(style, rows, batch)
            else:
                yield from zip(batch, painted, strict=True)
                self._grow(len(batch), self._used())
            taken = set(batch)
            waiting = [place for place in waiting if place not in taken]

    def _at_once(self, style: Any, rows: Sequence[Row]) -> list[Painted]:
        if not isinstance(self.method, ExplainingRenderer):
            return [Painted(image) for image in paint(self.method, style, rows)]
        images, explanations = paint_explained(self.method, style, rows)
        return [Painted(*parts) for parts in zip(images, explanations, strict=True)]

    def _one_by_one(
        self, style: Any, rows: Sequence[Row], batch: Sequence[int]
    ) -> Iterator[tuple[int, Painted | StylekitError]]:
        """Find the rows of a batch that were refused, and render the others."""
        for place in batch:
            try:
                yield place, self._at_once(style, [rows[place]])[0]
            except StylekitError as error:
                yield place, error

    def _grow(self, done: int, used: int) -> None:
        """Take twice as many at once if so much again, and half of it in reserve, is free on the GPU."""
        if (
            self.is_fixed
            or not self.method.renders_together
            or self.method.device.type != "cuda"
            or done < self.batch_size
        ):
            return
        free = torch.cuda.mem_get_info(self.method.device)[0]  # beside what torch holds, some of it unused
        if 1.5 * used < free:
            self.batch_size = min(_MOST, 2 * self.batch_size)

    def _used(self) -> int:
        """Return what the memory of a GPU has grown by at most since it was asked last; 0 elsewhere."""
        device = self.method.device
        if device.type != "cuda":
            return 0
        used = torch.cuda.max_memory_allocated(device) - torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        return used


def _columns(
    method: StyleRenderer[Any], rows: Sequence[Row]
) -> tuple[list[str], Float[Tensor, "n 3 h w"] | None, list[int]]:
    contents = [row.content for row in rows if row.content is not None]
    assert len(contents) in (0, len(rows)), "all rows have a content or none"
    content = torch.stack(contents).to(method.device) if contents else None
    return [row.prompt for row in rows], content, [row.seed for row in rows]


def _stored(method: StyleRenderer[Any], images: Tensor) -> Tensor:
    stored = images.detach().float().cpu()  # waits for the device
    if not stored.isfinite().all():
        raise DataError(
            f"{type(method).__name__} rendered pixels that are no numbers: in float16 many networks "
            "overflow, set foundation.dtype to bfloat16 or float32; a run that diverged is to be trained "
            "again with a lower learning rate."
        )
    return stored


def _shape(row: Row) -> torch.Size | None:
    return None if row.content is None else row.content.shape
