"""A generator without a prompt: what training-free methods look into."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from stylekit.diffusion import Attended, Recorder, attending
from stylekit.foundation.scheduled import ScheduledGenerator

__all__ = ["AttentionAtSteps", "Unprompted", "take_keys_and_values", "take_queries"]

TakenT = TypeVar("TakenT", bound=tuple[Tensor, ...])

_ROWS = 8
"""Latents looked at in one pass; several steps of few latents are quicker at once, on a CPU too."""


class Unprompted:
    """What a generator predicts and attends to when its prompt is empty.

    Args:
        foundation: The generator; its text encoder reads the empty prompt now, on the device where it is.
        layers: Names of layers of self-attention that are looked into.
    """

    def __init__(self, foundation: ScheduledGenerator, layers: Sequence[str]) -> None:
        self.foundation, self.layers = foundation, tuple(layers)
        with torch.no_grad():
            self.condition = foundation.condition([""])

    def predict(self, latents: Float[Tensor, "n c h w"], step: int) -> Float[Tensor, "n c h w"]:
        """Return what the denoiser predicts at latents of one step of noise, as `invert` and `sample` ask."""
        return self._predict(latents, torch.full((len(latents),), step, device=latents.device))

    def look(self, latents: Float[Tensor, "n c h w"], steps: Int[Tensor, " n"]) -> dict[str, Attended]:
        """Return what goes on in each layer when latents are taken for such of these steps of noise."""
        recorder = Recorder()
        with attending(self.foundation.denoiser, self.layers, recorder):
            self._predict(latents, steps)
        return recorder.layers

    def _predict(
        self, latents: Float[Tensor, "n c h w"], steps: Int[Tensor, " n"]
    ) -> Float[Tensor, "n c h w"]:
        condition = {
            name: value.expand(len(latents), *[-1] * (value.ndim - 1))
            for name, value in self.condition.items()
        }
        return self.foundation.predict(latents, steps, condition).float()


class AttentionAtSteps(Generic[TakenT]):
    """What is taken from the layers at each place of a schedule, looked at when asked for and kept.

    Places are looked at in groups that depend on nothing but the schedule and the number of latents, so what
    is found has the same bits whether it was kept or is looked at again.

    Args:
        unprompted: What is looked into.
        latents: At each place, one or several that are looked at.
        steps: The step of noise for which they are taken, at each place.
        take: What is wanted of a layer.
        room: Bytes up to which it is kept, beside the group looked at last; what comes after is looked at
            again each time.
    """

    def __init__(
        self,
        unprompted: Unprompted,
        latents: Sequence[Float[Tensor, "r c h w"]],
        steps: Sequence[int],
        take: Callable[[Attended], TakenT],
        room: int = 2**32,
    ) -> None:
        assert len(latents) == len(steps), "latents for each place"
        self.unprompted, self.latents, self.steps = unprompted, latents, steps
        self.take, self.room = take, room
        self._at_once = max(1, _ROWS // len(latents[0]))
        self._kept: dict[int, list[dict[str, TakenT]]] = {}
        self._last: tuple[int, list[dict[str, TakenT]]] = (-1, [])

    def __getitem__(self, place: int) -> Mapping[str, TakenT]:
        group, index = divmod(place, self._at_once)
        if group in self._kept:
            return self._kept[group][index]
        if group != self._last[0]:
            found = self._look(slice(group * self._at_once, (group + 1) * self._at_once))
            self._last = group, found
            if self.bytes + _num_bytes(found) <= self.room:
                self._kept[group] = found
        return self._last[1][index]

    @property
    def bytes(self) -> int:
        """What is kept takes so much memory, at most `room`."""
        return sum(map(_num_bytes, self._kept.values()))

    @torch.no_grad()
    def _look(self, places: slice) -> list[dict[str, TakenT]]:
        latents, steps = self.latents[places], self.steps[places]
        count = len(latents[0])
        rows = torch.tensor(steps, device=latents[0].device).repeat_interleave(count)
        layers = self.unprompted.look(torch.cat([*latents]), rows)
        parts = {
            name: zip(*(torch.split(part, count) for part in attended), strict=True)
            for name, attended in layers.items()
        }
        return [{name: self.take(Attended(*next(part))) for name, part in parts.items()} for _ in latents]


def _num_bytes(group: Sequence[Mapping[str, tuple[Tensor, ...]]]) -> int:
    return sum(part.nbytes for layers in group for layer in layers.values() for part in layer)


def take_queries(attended: Attended) -> tuple[Float[Tensor, "1 heads t d"]]:
    """Take the queries of one image."""
    return (attended.queries,)


def take_keys_and_values(
    attended: Attended,
) -> tuple[Float[Tensor, "1 heads t d"], Float[Tensor, "1 heads t d"]]:
    """Take keys and values; those of several images as of one whose tokens are those of all."""
    keys, values = (
        part.transpose(0, 1).flatten(1, 2).unsqueeze(0) for part in (attended.keys, attended.values)
    )
    return keys, values
