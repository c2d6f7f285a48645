"""What clean latents show in the layers of attention at each step of noise, computed once."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from stylekit.diffusion import Attended

__all__ = ["Shown", "Trace", "Traces"]

Trace = Mapping[str, tuple[Tensor, ...]]
"""By the name of the layer: the queries of a content, the keys and values of a reference."""
Look = Callable[[Tensor, int], Mapping[str, Attended]]
"""Shows latents to the network at a step of noise."""


class Shown(NamedTuple):
    """An image that is looked at."""

    latents: Float[Tensor, "c h w"]
    role: Literal["content", "reference"]

    @property
    def key(self) -> tuple[str, str]:
        """What it is known by."""
        return hashlib.sha256(self.latents.float().cpu().numpy().tobytes()).hexdigest(), self.role


class Traces:
    """Keeps traces in main memory, of the images that were looked at last, until a limit is reached.

    Args:
        limit: In bytes.
    """

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self._kept: OrderedDict[tuple[str, str], dict[int, Trace]] = OrderedDict()
        self._bytes = 0

    def find(self, images: Sequence[Shown], step: int, look: Look) -> list[Trace]:
        """Return the trace of each image at a step; those that are not kept are looked at together."""
        keys = [image.key for image in images]
        for key in keys:
            self._kept.setdefault(key, {})
            self._kept.move_to_end(key)
        missing = [index for index, key in enumerate(keys) if step not in self._kept[key]]
        fresh: dict[int, Trace] = {}
        if missing:
            found = look(torch.stack([images[index].latents for index in missing]), step)
            for row, index in enumerate(missing):
                fresh[index] = {name: _part(one, row, images[index].role) for name, one in found.items()}
        device = images[0].latents.device
        traces = [
            fresh[index] if index in fresh else _moved(self._kept[key][step], device)
            for index, key in enumerate(keys)
        ]
        for index, trace in fresh.items():
            self._keep(keys[index], step, trace, set(keys))
        return traces

    def _keep(self, key: tuple[str, str], step: int, trace: Trace, wanted: set[tuple[str, str]]) -> None:
        size = _size(trace)
        while self._bytes + size > self.limit and next(iter(self._kept)) not in wanted:
            _, dropped = self._kept.popitem(last=False)
            self._bytes -= sum(map(_size, dropped.values()))
        if self._bytes + size <= self.limit:
            self._kept[key][step] = _moved(trace, torch.device("cpu"))
            self._bytes += size


def _part(one: Attended, row: int, role: str) -> tuple[Tensor, ...]:
    wanted = (one.queries,) if role == "content" else (one.keys, one.values)
    return tuple(part[row, None].clone() for part in wanted)  # not a view that holds the others


def _size(trace: Trace) -> int:
    return sum(part.nbytes for parts in trace.values() for part in parts)


def _moved(trace: Trace, device: torch.device) -> Trace:
    return {name: tuple(part.to(device) for part in parts) for name, parts in trace.items()}
