"""A FLUX that takes the style of the picture beside what it paints (MegaStyle, arXiv 2604.08364)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import ClassVar, final

import torch
from diffusers.training_utils import cast_training_params
from diffusers.utils.torch_utils import randn_tensor
from jaxtyping import Float
from torch import Tensor

from methods.megastyle_flux.adapter import lora_config
from methods.megastyle_flux.augmentation import augment
from methods.megastyle_flux.same_style import of_same_style
from stylekit.batch import PairBatch
from stylekit.bounds import AboveZero, NonNegative, Positive, Probability, Share, bounded
from stylekit.diffusion import bell_weights, flow_levels, shifted
from stylekit.errors import ConfigError
from stylekit.foundation.attention import attention_for
from stylekit.foundation.flux import Beside, Flux
from stylekit.foundation.generator import Condition
from stylekit.method import AdapterRenderer, Need, check_rows
from stylekit.resizing import resized

__all__ = ["MegaStyleFlux"]

_LEAST = 0.003 / 1.002  # the lowest noise level of the authors' scheduler
_LEVELS = 1000


@final
class MegaStyleFlux(AdapterRenderer[Float[Tensor, "r c u v"]]):
    """The clean latents of references lie to the right of the noisy ones, and every block attends to both.

    Nothing is added to the transformer but low-rank updates of its linear maps. They learn from pairs of
    images of one style: the prompt says the content alone, so the style has to come from the reference.

    Deviations: batches of any size (the authors' code takes the first reference for all rows); query, key and
    value have updates of their own; several references, each a width further to the right; a foundation that
    is not told its guidance, as mini_flux, is guided by its answer to the empty prompt.

    Args:
        foundation: The generator.
        image_size: Side of images and references; null for the foundation's.
        rank: Of the updates.
        alpha: They are scaled by alpha / rank; null for the rank.
        modulation: Adapt the maps from time and text to scales and shifts, too.
        sees_reference: False leaves the reference out: a control, and what the authors' first code trained.
        reference_shift: Where references lie, in widths of the image to the right; 0 puts them upon it.
        num_references: How many training sees of a style: those of other rows of the batch, too.
        keep_aspect: Take the style from references in their shape, as large as the image; else they are
            stretched to its square, as the authors do. Training sees squares, cut out, either way.
        sigma_shift: Of the noise levels, in training and in sampling.
        guidance: When rendering; training is at 1.
        reference_guidance: Away from the answer without a reference; 1 for none. Needs dropped references.
        num_steps: When rendering.
        flip_probability: How often a reference is mirrored in training.
        crop_probability: How often it is cropped.
        min_crop_area: Share of its area that is left at least.
        drop_reference: How often training goes without reference, for guidance by it.
        gradient_checkpointing: Compute activations twice instead of keeping them.
    """

    stages: ClassVar[tuple[str, ...]] = ("paired",)
    needs: ClassVar[frozenset[Need]] = frozenset({"prompt"})
    settled: ClassVar[frozenset[str]] = frozenset({"sees_reference", "reference_shift"})
    adapter: ClassVar[str] = "megastyle"
    foundation: Flux

    @bounded
    def __init__(
        self,
        foundation: Flux,
        image_size: Positive | None = None,
        rank: Positive = 128,
        alpha: AboveZero | None = None,
        modulation: bool = True,
        sees_reference: bool = True,
        reference_shift: NonNegative = 1.0,
        num_references: Positive = 1,
        keep_aspect: bool = False,
        sigma_shift: AboveZero = 3.0,
        guidance: AboveZero = 3.5,
        reference_guidance: AboveZero = 1.0,
        num_steps: Positive = 30,
        flip_probability: Probability = 0.5,
        crop_probability: Probability = 0.5,
        min_crop_area: Share = 0.8,
        drop_reference: Probability = 0.0,
        gradient_checkpointing: bool = False,
    ) -> None:
        super().__init__()
        if reference_guidance != 1.0 and (not sees_reference or not drop_reference):
            raise ConfigError(
                "method.reference_guidance needs a reference, and training that is at times without: set "
                "method.sees_reference=true and method.drop_reference=0.1, or method.reference_guidance=1.0."
            )
        self.foundation, self.image_size = foundation, image_size or foundation.image_size
        if self.image_size % self._token_side:
            raise ConfigError(
                f"method.image_size must be a multiple of {self._token_side}, the side of a token in pixels, "
                f"not {self.image_size}."
            )
        self.rank, self.alpha, self.modulation = rank, alpha or float(rank), modulation
        self.sees_reference, self.reference_shift = sees_reference, reference_shift
        self.num_references, self.keep_aspect = num_references, keep_aspect
        self.sigma_shift, self.num_steps = sigma_shift, num_steps
        self.guidance, self.reference_guidance = guidance, reference_guidance
        self.flip_probability, self.crop_probability = flip_probability, crop_probability
        self.min_crop_area, self.drop_reference = min_crop_area, drop_reference
        self.gradient_checkpointing = gradient_checkpointing
        if gradient_checkpointing:
            foundation.denoiser.enable_gradient_checkpointing()
        levels = shifted(torch.linspace(1.0, _LEAST, _LEVELS), sigma_shift)
        self.register_buffer("levels", levels, persistent=False)
        self.register_buffer("weights", bell_weights(levels), persistent=False)
        self.levels: Tensor
        self.weights: Tensor

    def enter(self, stage: str) -> None:
        denoiser = self.foundation.denoiser
        if self.adapter in getattr(denoiser, "peft_config", {}):
            raise ConfigError("This foundation has been adapted already: build it anew for another method.")
        denoiser.add_adapter(lora_config(self.rank, self.alpha, self.modulation), adapter_name=self.adapter)
        cast_training_params(denoiser)  # small steps vanish in bfloat16

    def losses(self, batch: PairBatch) -> dict[str, Tensor]:
        if batch.images.shape[-1] != self.image_size:
            raise ConfigError(
                f"The images have {batch.images.shape[-1]} px and method.image_size is {self.image_size}: "
                "set data.image_size to the same."
            )
        with torch.no_grad():
            clean = self.foundation.encode(batch.images) if batch.latents is None else batch.latents
            styles = of_same_style(self._encode_references(batch), batch.style_ids, self.num_references)
            condition = batch.conditions or self.foundation.condition(batch.content_prompts)
        drawn = torch.randint(len(self.levels), (len(clean),)).to(clean.device)
        levels, noise = flow_levels(self.levels[drawn]), torch.randn_like(clean)
        noisy, true_velocity = levels.seen(clean, noise), levels.answer(clean, noise)
        is_seen = (torch.rand(len(clean)) >= self.drop_reference).tolist()
        errors = torch.empty(len(clean), device=clean.device)
        with self._attention(clean.device):
            for seen in (True, False):  # sequences of two lengths
                rows = [row for row, one in enumerate(is_seen) if one == seen]
                if rows:
                    of_rows = {name: value[rows] for name, value in condition.items()}
                    beside = self._beside([style[rows] for style in styles]) if seen else []
                    predicted = self.foundation.predict(
                        noisy[rows], levels.times[rows], of_rows, beside=beside
                    )
                    errors[rows] = (predicted.float() - true_velocity[rows]).square().flatten(1).mean(1)
        return {"flow": (self.weights[drawn] * errors).mean()}

    def extract(self, references: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "r c u v"]:
        size = self._reference_size(*references.shape[-2:])
        with torch.no_grad():
            return self.foundation.encode(resized(references, *size))

    @torch.no_grad()
    def render(
        self,
        style: Float[Tensor, "r c u v"],
        prompt: Sequence[str],
        content: Float[Tensor, "n 3 h2 w2"] | None,
        seed: Sequence[int],
    ) -> Float[Tensor, "n 3 h w"]:
        check_rows(prompt, seed)
        foundation = self.foundation
        condition = foundation.condition(foundation.read(prompt))
        is_told = self.guidance == 1.0 or foundation.denoiser.config.guidance_embeds
        empty = None if is_told else foundation.condition([""] * len(seed))
        beside = self._beside([one.expand(len(seed), -1, -1, -1) for one in style.unsqueeze(1)])
        generators = [torch.Generator().manual_seed(number) for number in seed]
        side = self.image_size // foundation.factor
        latents = randn_tensor((len(seed), style.shape[1], side, side), generators, style.device)
        sigmas = shifted(torch.linspace(1.0, _LEAST, self.num_steps), self.sigma_shift)
        with self._attention(latents.device):
            for now, after in zip(sigmas, [*sigmas[1:], torch.zeros(())], strict=True):
                level = now.expand(len(seed)).to(latents)
                latents = latents + (after - now) * self._guided(latents, level, condition, empty, beside)
        return foundation.decode(latents).clamp(0.0, 1.0)

    def _guided(
        self,
        latents: Float[Tensor, "n c h w"],
        sigmas: Float[Tensor, " n"],
        condition: Condition,
        empty: Condition | None,
        beside: Sequence[Beside],
    ) -> Float[Tensor, "n c h w"]:
        """Return the velocity, guided by the prompt, told or not, and by the reference."""
        predict = self.foundation.predict
        found = predict(latents, sigmas, condition, self.guidance, beside)
        guided = found
        if empty is not None:
            against = predict(latents, sigmas, empty, 1.0, beside)
            guided = against + self.guidance * (found - against)
        if beside and self.reference_guidance != 1.0:
            without = predict(latents, sigmas, condition, self.guidance)
            guided = guided + (self.reference_guidance - 1.0) * (found - without)
        return guided.float()

    def _encode_references(self, batch: PairBatch) -> Float[Tensor, "n c u v"]:
        is_plain = self.flip_probability == 0.0 and self.crop_probability == 0.0
        if is_plain and batch.reference_latents is not None:
            return batch.reference_latents
        chances = (self.flip_probability, self.crop_probability, self.min_crop_area)
        return self.foundation.encode(augment(batch.references, *chances))

    def _attention(self, device: torch.device) -> AbstractContextManager[None]:
        # What is computed twice is computed by the same kernel, and the second time is outside.
        return nullcontext() if self.gradient_checkpointing else attention_for(device, self.image_size)

    @property
    def _token_side(self) -> int:
        return 2 * self.foundation.factor

    def _reference_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the size at which a reference is encoded."""
        if not self.keep_aspect:
            return self.image_size, self.image_size
        unit, scale = self._token_side, self.image_size / (height * width) ** 0.5
        sides = [max(unit, round(side * scale / unit) * unit) for side in (height, width)]
        return sides[0], sides[1]

    def _beside(self, references: Sequence[Float[Tensor, "n c h w"]]) -> list[Beside]:
        """Lay references side by side, the first `reference_shift` widths of the image to the right of it."""
        if not self.sees_reference:
            return []
        column, beside = round(self.reference_shift * (self.image_size // self._token_side)), list[Beside]()
        for latents in references:
            beside.append(Beside(latents, column))
            column += latents.shape[-1] // 2
        return beside
