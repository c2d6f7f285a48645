"""A generator as it is, without any style reference, and how it is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, final

import torch
from jaxtyping import Float
from torch import Tensor

from methods.text_to_image.alignment import Alignment
from methods.text_to_image.distillation import Distillation
from stylekit.batch import FilmBatch, StyleBatch
from stylekit.bounds import Probability, bounded
from stylekit.errors import ConfigError
from stylekit.foundation.generator import Generator
from stylekit.method import Need, StyleRenderer

__all__ = ["TextToImage"]


@final
class TextToImage(StyleRenderer[None]):
    """A text-conditional generator, its denoiser and text encoders trained together from random weights.

    References are not looked at: it is what methods that do look at them are compared with. A prompt may say
    the content alone or the content and the style. Guidance needs answers to the empty prompt, so some
    prompts are dropped (arXiv 2207.12598).

    All stages compute the same loss; a generator that starts from nothing takes easy images first. In the
    atelier a thing may be light on dark or dark on light, so that over all styles the images of a thing
    average to nothing; in one medium they do not. A generator of films learns from stills before it learns
    from films, which take many times as long: what compares frames begins in the last stage.

    Args:
        foundation: The generator.
        style_probability: How often a prompt says the style too.
        drop_probability: How often there is no prompt.
        motion_probability: Of films, how often a prompt says how things move.
        alignment: In training, hold hidden tokens against those of a trained image tower.
        distillation: In training on images, learn from what another generator sees in the same noise.
    """

    stages: ClassVar[tuple[str, ...]] = ("easy", "pretrain", "films")
    needs: ClassVar[frozenset[Need]] = frozenset({"prompt"})
    uses_references: ClassVar[bool] = False

    @bounded
    def __init__(
        self,
        foundation: Generator,
        style_probability: Probability = 0.7,
        drop_probability: Probability = 0.1,
        motion_probability: Probability = 0.7,
        alignment: Alignment | None = None,
        distillation: Distillation | None = None,
    ) -> None:
        super().__init__()
        self.foundation = foundation
        self.style_probability, self.drop_probability = style_probability, drop_probability
        self.motion_probability, self.alignment = motion_probability, alignment
        self.distillation = distillation
        if distillation is not None:
            distillation.check(foundation)
        self._takes_films = True

    def enter(self, stage: str) -> None:
        self.foundation.denoiser.requires_grad_(True)
        for encoder in self.foundation.text_encoders:
            encoder.requires_grad_(True)
        for module in self.foundation.over_time:
            module.requires_grad_(stage == "films")
        self._takes_films = stage == "films" or not self.foundation.over_time
        if self.alignment is not None:
            self.alignment.projection.requires_grad_(True)

    def losses(self, batch: StyleBatch | FilmBatch) -> dict[str, Tensor]:
        clean = batch.latents
        if isinstance(batch, FilmBatch):
            if not self._takes_films:
                raise ConfigError(
                    "Films are learned from in stage films: give the stages before it data of images, or set "
                    "them to null."
                )
            pixels = batch.films
        else:
            pixels = batch.images
            if self.foundation.draws_films:  # a still is a film of one frame
                pixels, clean = pixels.unsqueeze(1), None if clean is None else clean.unsqueeze(1)
        if clean is None:
            with torch.no_grad():
                clean = self.foundation.encode(pixels)
        prompts, teach = self._prompts(batch), None
        condition = self.foundation.condition(prompts)
        if self.distillation is not None and self.training and not isinstance(batch, FilmBatch):
            teach = self.distillation.told(prompts)
        if self.alignment is None:
            return {"denoising": self.foundation.errors(clean, condition, teach).mean()}
        with self.alignment.watch(self.foundation.denoiser) as hidden:
            denoising = self.foundation.errors(clean, condition, teach).mean()
        images = pixels.flatten(0, -4)  # Latte's blocks over space see every frame alone
        return {"denoising": denoising, "alignment": self.alignment.loss(hidden[0], images)}

    def extract(self, references: Float[Tensor, "n 3 h w"]) -> None:
        return None

    def render(
        self,
        style: None,
        prompt: Sequence[str],
        content: Float[Tensor, "n 3 h2 w2"] | None,
        seed: Sequence[int],
    ) -> Float[Tensor, "n 3 h w"] | Float[Tensor, "n t 3 h w"]:
        return self.foundation.generate(prompt, seed)

    def _prompts(self, batch: StyleBatch | FilmBatch) -> list[str]:
        count = len(batch.content_prompts)
        says_style = (torch.rand(count) < self.style_probability).tolist()
        is_dropped = (torch.rand(count) < self.drop_probability).tolist()
        contents = batch.content_prompts
        if isinstance(batch, FilmBatch):
            moves = (torch.rand(count) < self.motion_probability).tolist()
            contents = [
                text if says_motion else f"{text.partition('.')[0]}."
                for text, says_motion in zip(contents, moves, strict=True)
            ]
        prompts = []
        for index, content in enumerate(contents):
            said = f"{content} {batch.style_prompts[index]}" if says_style[index] else content
            prompts.append("" if is_dropped[index] else said)
        return prompts
