"""From noise to latents whose attention is what it should be (StyleGallery, stage 3)."""

from __future__ import annotations

import hashlib
import math
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from methods.stylegallery.energy import Gaze, MaskMode, regional_energy, regional_gaze, without_style
from methods.stylegallery.regions import nearest_labels
from stylekit.diffusion import content_energy, descend
from stylekit.foundation.unprompted import (
    AttentionAtSteps,
    Unprompted,
    take_keys_and_values,
    take_queries,
)

__all__ = ["Course", "Optimiser"]


class Course(NamedTuple):
    """How the optimisation goes; see StyleGallery."""

    steps: Sequence[int]
    iterations: int
    learning_rate: float
    content_weight: float
    style_weight: float
    attention_scale: float
    mask_mode: MaskMode


class Optimiser:
    """Optimises latents by the energies of style and content.

    What contents and references show at each step is kept, those that were asked for last, so that many
    contents in a style, and a content in many styles, are looked at once.

    Args:
        course: How it goes.
        room: Bytes for what is kept.
    """

    def __init__(self, course: Course, room: int) -> None:
        self.course, self.room = course, room
        self._shown: OrderedDict[tuple[str, bool], AttentionAtSteps[Any]] = OrderedDict()

    def optimise(
        self,
        unprompted: Unprompted,
        begin: Float[Tensor, "1 c h w"],
        content: Float[Tensor, "1 c h w"],
        references: Float[Tensor, "s c h w"],
        wanted: Int[Tensor, "h2 w2"],
        offered: Int[Tensor, "s h2 w2"],
    ) -> tuple[Float[Tensor, "1 c h w"], dict[str, list[float]]]:
        """Return the latents, and both energies at every step.

        Args:
            unprompted: What is looked into.
            begin: Latents with the layout of the content.
            content: Whose queries are kept.
            references: Whose keys and values are looked at.
            wanted: For each cell of the content the region that it takes its style from; 0 for none.
            offered: The region of each cell of each reference, no number twice; 0 for none.
        """
        course, curves = self.course, dict[str, list[float]](style=[], content=[])
        content_at = self._at_steps(unprompted, content, is_content=True)
        style_at = self._at_steps(unprompted, references, is_content=False)
        gazes: dict[int, Gaze] = {}

        def energy(latents: Tensor, place: int) -> Tensor:
            steps = torch.tensor([course.steps[place]], device=latents.device)
            queries, offers, terms = content_at[place], style_at[place], list[tuple[Tensor, Tensor]]()
            for name, own in unprompted.look(latents, steps).items():
                count = own.queries.shape[2]
                if count not in gazes:
                    gaze = self._gaze(count, wanted, offered)
                    gazes[count] = gaze._replace(bias=gaze.bias.to(own.queries.dtype))
                keys, values = offers[name]
                style = regional_energy(
                    own.queries, own.seen, keys, values, gazes[count], course.attention_scale
                )
                terms.append((style, content_energy(own.queries, *queries[name])))
            style, kept = (torch.stack(parts).sum() for parts in zip(*terms, strict=True))
            curves["style"].append(float(style.detach()))
            curves["content"].append(float(kept.detach()))
            total: Tensor = course.style_weight * style + course.content_weight * kept
            return total

        places = [place for place in range(len(course.steps)) for _ in range(course.iterations)]
        return descend(without_style(begin.float()), energy, places, course.learning_rate), curves

    def _gaze(self, count: int, wanted: Tensor, offered: Tensor) -> Gaze:
        height, width = wanted.shape
        side = round(math.sqrt(count * height / width))
        size = (side, count // side)
        mine, theirs = (nearest_labels(labels, size).flatten(1) for labels in (wanted[None], offered))
        return regional_gaze(mine[0], theirs, self.course.mask_mode)

    def _at_steps(self, unprompted: Unprompted, latents: Tensor, is_content: bool) -> AttentionAtSteps[Any]:
        shown = hashlib.sha256(latents.float().cpu().numpy().tobytes()).hexdigest()
        key = (f"{shown} {latents.device} {unprompted.foundation.denoiser.dtype}", is_content)
        if key not in self._shown:
            while self._shown and sum(shown.bytes for shown in self._shown.values()) > self.room // 2:
                self._shown.popitem(last=False)
            take: Any = take_queries if is_content else take_keys_and_values
            steps = self.course.steps
            self._shown[key] = AttentionAtSteps(
                unprompted, [latents] * len(steps), steps, take, self.room // 2
            )
        self._shown.move_to_end(key)
        return self._shown[key]
