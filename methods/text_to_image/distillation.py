"""Learn from what another generator sees in the same noise, in place of the image (arXiv 1503.02531)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from stylekit.diffusion import Levels
from stylekit.errors import ConfigError
from stylekit.foundation.generator import Generator, Teach
from stylekit.foundation.latents import LatentGenerator
from stylekit.foundation.stable_diffusion import StableDiffusion

__all__ = ["Distillation", "denoised_by"]

_SAME = 0.05  # of the spread of latents: what half precision may change


class Distillation(nn.Module):
    """A trained generator on the same latents says what is to be seen in what is denoised.

    An image is one of many that a prompt and some noise could have come from; what they have in common is
    what a denoiser is to learn, and the teacher's answer is nearer to that than any one of them. What it
    cannot draw is not learned.

    Deviations: the paper distils classifiers; here answers are compared as clean images, which teachers and
    students of any schedule have.

    Args:
        teacher: Of images; films are learned without it.
    """

    def __init__(self, teacher: StableDiffusion) -> None:
        super().__init__()
        self.teacher = teacher

    def check(self, student: Generator) -> None:
        """Raise ConfigError unless the student denoises the teacher's latents."""
        if isinstance(student, LatentGenerator):
            picture = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
            with torch.no_grad():
                mine, its = (one.encode(picture.to(one.vae.device)).cpu() for one in (student, self.teacher))
            if mine.shape == its.shape and float((mine - its).std()) < _SAME * float(its.std()):
                return
        raise ConfigError(
            "The teacher of method.distillation and the foundation denoise latents of other autoencoders: "
            "choose a teacher on the same, or set method.distillation=null."
        )

    def told(self, prompts: Sequence[str]) -> Teach:
        """Return what says, of noised latents with these prompts, which latents are seen in them."""

        @torch.no_grad()
        def teach(clean: Tensor, noise: Tensor, levels: Levels) -> Tensor:
            stills = clean.flatten(0, -4)  # Latte's have a frame
            found = denoised_by(self.teacher, stills, noise.view_as(stills), levels.ratios, prompts)
            return found.view_as(clean)

        return teach


def denoised_by(
    teacher: StableDiffusion,
    clean: Float[Tensor, "n c h w"],
    noise: Float[Tensor, "n c h w"],
    ratios: Float[Tensor, " n"],
    prompts: Sequence[str],
) -> Float[Tensor, "n c h w"]:
    """Return what a teacher takes for clean, under this noise at these ratios of image to noise.

    A teacher whose schedule ends before there is nothing but noise is shown its last step beyond that, with
    noise so near to this that this is what it is shown and more noise: the mean of its answers, given what
    the student sees, is then still what the student is to learn. Where a schedule begins with some noise, it
    is shown that much for less.
    """
    levels, last = teacher.levels_of(ratios), teacher.levels_of(torch.zeros_like(ratios)).ratios
    agreeing = (ratios / last).clamp_max(1.0).reshape(-1, 1, 1, 1)
    noise = agreeing * noise + (1.0 - agreeing.square()).sqrt() * torch.randn_like(noise)
    seen = levels.seen(clean, noise)
    return levels.clean_in(seen, teacher.predict(seen, levels.times, teacher.condition(prompts)).float())
