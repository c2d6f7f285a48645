"""From noise to the image whose attention is what it should be (StyleGallery, stage 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from methods.stylegallery.energy import (
    MaskMode,
    content_loss,
    regional_bias,
    regional_loss,
    resized_labels,
    without_style,
)
from methods.stylegallery.traces import Shown, Trace, Traces
from stylekit.diffusion import Attended, Recorder, attending
from stylekit.foundation.attention import attention_for
from stylekit.foundation.stable_diffusion import StableDiffusion

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

    Args:
        foundation: Whose attention is looked at.
        layers: Names of the layers.
        course: How it goes.
        traces: Keeps what contents and references show.
    """

    def __init__(
        self, foundation: StableDiffusion, layers: Sequence[str], course: Course, traces: Traces
    ) -> None:
        self.foundation, self.layers, self.course, self.traces = foundation, layers, course, traces

    def optimise(
        self,
        begin: Float[Tensor, "1 c h w"],
        content: Shown,
        references: Sequence[Shown],
        wanted: Int[Tensor, "h w"],
        offered: Int[Tensor, "s h w"],
    ) -> tuple[Float[Tensor, "1 c h w"], dict[str, list[float]]]:
        """Return the latents and both energies at every step.

        Args:
            begin: Latents with the layout of the content and no style.
            content: Whose queries are kept.
            references: Whose keys and values are looked at.
            wanted: For each cell of the content the region that it takes its style from; 0 for none.
            offered: The region of each cell of each reference, no number twice; 0 for none.
        """
        latents = without_style(begin.float()).detach().clone().requires_grad_(True)
        adam = torch.optim.Adam([latents], lr=self.course.learning_rate)
        with torch.no_grad():
            condition = self.foundation.condition([""])
        curves: dict[str, list[float]] = {"style": [], "content": []}
        biases: dict[int, tuple[Tensor, Tensor]] = {}
        for step in self.course.steps:
            with torch.no_grad():
                shown = self.traces.find([content, *references], step, self._look)
            for _ in range(self.course.iterations):
                recorder = Recorder()
                with torch.enable_grad():
                    self._forward(latents, step, condition, recorder)
                    style, kept = self._energies(recorder.layers, shown, wanted, offered, biases)
                    energy = self.course.style_weight * style + self.course.content_weight * kept
                    (latents.grad,) = torch.autograd.grad(energy, latents)
                adam.step()
            for name, value in (("style", style), ("content", kept)):
                curves[name].append(float(value.detach()))
        return latents.detach(), curves

    def _energies(
        self,
        layers: Mapping[str, Attended],
        shown: Sequence[Trace],
        wanted: Tensor,
        offered: Tensor,
        biases: dict[int, tuple[Tensor, Tensor]],
    ) -> tuple[Tensor, Tensor]:
        content, *references = shown
        style = kept = torch.zeros((), device=wanted.device)
        for name, own in layers.items():
            count = own.queries.shape[2]
            if count not in biases:
                side = _sides(count, wanted)
                biases[count] = regional_bias(
                    resized_labels(wanted[None], side)[0],
                    resized_labels(offered, side),
                    self.course.mask_mode,
                )
            keys, values = (torch.cat([one[name][part] for one in references]) for part in (0, 1))
            scale = self.course.attention_scale
            style = style + regional_loss(own.queries, own.seen, keys, values, *biases[count], scale)
            kept = kept + content_loss(own.queries, content[name][0])
        return style, kept

    def _look(self, latents: Tensor, step: int) -> Mapping[str, Attended]:
        recorder = Recorder()
        condition = self.foundation.condition([""] * len(latents))
        self._forward(latents, step, condition, recorder)
        return recorder.layers

    def _forward(
        self, latents: Tensor, step: int, condition: Mapping[str, Tensor], recorder: Recorder
    ) -> None:
        steps = torch.full((len(latents),), step, device=latents.device)
        with (
            attention_for(latents.device, self.foundation.image_size),
            attending(self.foundation.denoiser, self.layers, recorder),
        ):
            self.foundation.predict(latents, steps, condition)


def _sides(count: int, cells: Tensor) -> tuple[int, int]:
    """Return the height and width of a layer with so many tokens, of the shape of the cells."""
    height, width = cells.shape
    rows = round((count * height / width) ** 0.5)
    return rows, count // rows
