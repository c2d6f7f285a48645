"""Text-conditional generators: pipelines of diffusers, and what training them needs."""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from diffusers import DiffusionPipeline
from jaxtyping import Float, Real
from torch import Tensor, nn

from stylekit.atelier import REPERTOIRES
from stylekit.atelier.prompts import read_prompt
from stylekit.diffusion import Levels
from stylekit.errors import ConfigError
from stylekit.foundation.attention import attention_for
from stylekit.foundation.diffusers_loading import load_pipeline
from stylekit.foundation.foundation import Foundation
from stylekit.foundation.loading import explained, forget_paths
from stylekit.foundation.locate import locate
from stylekit.foundation.quantized import Quantization
from stylekit.foundation.quantized import quantize as quantize_weights
from stylekit.method import check_rows
from stylekit.seeding import drawing_from

__all__ = ["Condition", "Dtype", "Generator", "Repertoire", "Teach", "begin_at_zero"]

Condition = Mapping[str, Tensor]
"""What text encoders give, by the names under which the denoiser takes it; a row for each prompt."""
Dtype = Literal["float32", "bfloat16", "float16"]
Repertoire = Literal["mini"]
Teach = Callable[[Float[Tensor, "n ..."], Float[Tensor, "n ..."], Levels], Float[Tensor, "n ..."]]
"""What is to be learned of encoded images under this noise at these levels, in their place."""
_LEAST_TAUGHT = 0.02  # share of noise


class Generator(Foundation):
    """A pipeline of diffusers, loaded from a folder or the hub: the real ones and the mini ones alike.

    Args:
        name_or_path: A shipped foundation, a folder, or a hub name.
        revision: Branch, tag or commit of a hub name.
        dtype: Of the weights in memory.
        random_weights: Draw the weights of denoiser and text encoders from `seed`; the autoencoder stays.
        seed: Used with `random_weights`.
        num_steps: Of sampling, unless `generate` is told otherwise.
        guidance: Of sampling, unless `generate` is told otherwise.
        repertoire: The words that it knows, if not all: prompts to `generate` are read into them, or refused.
        quantize: Keep the linear maps of denoiser and text encoders in so many bits; they cannot be trained.
        compiled: Compile the denoiser at its first call, and again for other sizes; each takes a minute.
            Transformers of FLUX only.
    """

    beginning: ClassVar[frozenset[str]] = frozenset({"random_weights", "seed"})
    pipeline_class: ClassVar[type[DiffusionPipeline]]
    mini: ClassVar[str]
    """The shipped foundation of the same kind."""
    denoiser_name: ClassVar[str] = "transformer"
    text_encoder_names: ClassVar[tuple[str, ...]] = ("text_encoder",)
    draws_films: ClassVar[bool] = False
    can_be_compiled: ClassVar[bool] = False

    def __init__(
        self,
        name_or_path: str,
        revision: str | None = None,
        dtype: Dtype = "float32",
        random_weights: bool = False,
        seed: int = 0,
        num_steps: int = 20,
        guidance: float = 3.0,
        repertoire: Repertoire | None = None,
        quantize: Quantization | None = None,
        compiled: bool = False,
    ) -> None:
        super().__init__()
        if compiled and not self.can_be_compiled:
            raise ConfigError(
                f"foundation.compiled is for FLUX, not for {type(self).__name__}: leave it out. (torch 2.13 "
                "gives a compiled UNet no gradient for one of its convolutions.)"
            )
        if quantize is not None and random_weights:
            raise ConfigError(
                "foundation.quantize keeps weights that are there: leave it out with random_weights=true."
            )
        self.num_steps, self.guidance, self.repertoire = num_steps, guidance, repertoire
        where = locate(name_or_path)
        with explained(name_or_path, where, self.mini):
            drawn = self._draw_parts(where, revision, seed) if random_weights else {}
        self.pipeline = load_pipeline(
            self.pipeline_class, where, name_or_path, self.mini, revision, getattr(torch, dtype), drawn
        )
        self.pipeline.set_progress_bar_config(disable=True)
        for name, component in self.pipeline.components.items():
            if isinstance(component, nn.Module):
                self.add_module(name, component)
        self.requires_grad_(False).eval()
        if quantize is not None:
            for network in (self.denoiser, *self.text_encoders):
                quantize_weights(network, quantize)
        if compiled:
            on_cpu = not torch.accelerator.is_available()  # where gradients in bfloat16 are NaN without it
            self.denoiser.compile(options={"emulate_precision_casts": on_cpu})

    @property
    def denoiser(self) -> Any:
        """The network, of diffusers, that methods train or address by the names of its modules."""
        return getattr(self, self.denoiser_name)

    @property
    def text_encoders(self) -> tuple[nn.Module, ...]:
        """The networks that read prompts."""
        return tuple(getattr(self, name) for name in self.text_encoder_names)

    @property
    def over_time(self) -> tuple[nn.Module, ...]:
        """Modules of the denoiser that films go through and stills do not."""
        return ()

    @property
    @abstractmethod
    def image_size(self) -> int:
        """Side of the images that it was trained on."""

    @abstractmethod
    def encode(self, images: Float[Tensor, "n ... 3 h w"]) -> Float[Tensor, "n ... c h2 w2"]:
        """Map images or films in [0, 1] to what is denoised."""

    @abstractmethod
    def condition(self, prompts: Sequence[str]) -> Condition:
        """Read prompts; gradients reach the text encoders."""

    @abstractmethod
    def draw_levels(self, clean: Float[Tensor, "n ..."]) -> Levels:
        """Draw a level of noise for each encoded image, to be trained at."""

    @abstractmethod
    def predict(
        self, seen: Float[Tensor, "n ..."], times: Real[Tensor, " n"], condition: Condition
    ) -> Float[Tensor, "n ..."]:
        """Return what the denoiser answers to noised images at these times of its levels."""

    def read(self, prompts: Sequence[str]) -> list[str]:
        """Return the prompts in words that it knows; a ConfigError names the first that it does not."""
        return self.read_into(prompts, self.repertoire)

    @classmethod
    def read_into(cls, prompts: Sequence[str], repertoire: Repertoire | None) -> list[str]:
        """Do the same without an instance, for prompts to be checked before weights load."""
        if repertoire is None:
            return list(prompts)
        return [read_prompt(prompt, REPERTOIRES[repertoire], cls.draws_films) for prompt in prompts]

    def errors(
        self, clean: Float[Tensor, "n ..."], condition: Condition, teach: Teach | None = None
    ) -> Float[Tensor, " n"]:
        """Noise encoded images at random levels and return the mean squared error of what is predicted.

        Where something teaches, it is that of what would lead to the images that it says, but for levels of
        so little noise that a mistake about the image would be taken for noise.
        """
        noise, levels = torch.randn_like(clean), self.draw_levels(clean)
        seen, target = levels.seen(clean, noise), levels.answer(clean, noise)
        with attention_for(clean.device, self.image_size):
            if teach is not None:
                taught = levels.answer_for(seen, teach(clean, noise, levels))
                is_noisy = (levels.rest >= _LEAST_TAUGHT).reshape(-1, *[1] * (clean.ndim - 1))
                target = torch.where(is_noisy, taught, target)
            predicted = self.predict(seen, levels.times, condition)
        return (predicted.float() - target).square().flatten(1).mean(1)

    @torch.no_grad()
    def generate(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        num_steps: int | None = None,
        guidance: float | None = None,
        size: int | None = None,
    ) -> Float[Tensor, "n ... 3 h w"]:
        """Generate an image or a film in [0, 1] for each prompt, all its random numbers from its own seed."""
        check_rows(prompts, seeds)
        side = size or self.image_size
        condition = self.condition(self.read(prompts))
        with attention_for(self.denoiser.device, side):
            made = self._sample(
                condition,
                generator=[torch.Generator().manual_seed(seed) for seed in seeds],
                num_inference_steps=num_steps or self.num_steps,
                guidance=self.guidance if guidance is None else guidance,
                height=side,
                width=side,
                output_type="pt",
            )
        return made.float().clamp(0.0, 1.0)

    @abstractmethod
    def _sample(self, condition: Condition, guidance: float, **settings: Any) -> Tensor:
        """Call the pipeline."""

    def _empty(self, condition: Condition) -> Condition:
        """Read as many empty prompts, to be guided by."""
        return self.condition([""] * len(next(iter(condition.values()))))

    def save(self, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        """Write a folder that the pipeline and this class load."""
        parts = self.pipeline.components
        own = {name: part for name, part in parts.items() if isinstance(part, nn.Module)}
        self.pipeline.register_modules(**{name: deepcopy(part).to(dtype) for name, part in own.items()})
        try:
            self.pipeline.save_pretrained(folder)
        finally:
            self.pipeline.register_modules(**own)
        forget_paths(folder)

    def _begin(self, denoiser: nn.Module) -> None:
        """Set weights that should not begin at random."""

    def _draw_parts(self, where: str, revision: str | None, seed: int) -> dict[str, nn.Module]:
        """Build text encoders and denoiser from their configs alone; there need not be weights."""
        index = self.pipeline_class.load_config(where, revision=revision)
        place = {"revision": revision}
        parts: dict[str, nn.Module] = {}
        with drawing_from(seed):
            for name in (*self.text_encoder_names, self.denoiser_name):
                library, kind = index[name]
                cls = getattr(importlib.import_module(library), kind)
                if library == "diffusers":
                    parts[name] = cls.from_config(cls.load_config(where, subfolder=name, **place))
                    self._begin(parts[name])
                else:
                    parts[name] = cls(cls.config_class.from_pretrained(where, subfolder=name, **place))
        return parts


def begin_at_zero(layer: nn.Linear) -> None:
    """Let a layer answer 0, whatever it is given, until it has learned."""
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
