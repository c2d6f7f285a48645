"""StyleGallery's optimisation beside the plain order of its steps: one pass an image, nothing kept."""

from __future__ import annotations

import statistics

import pytest

REFERENCES, CONTENTS, STEPS, ROUNDS = (1, 2, 3, 5), 4, (50, 100, 150), 2

_RENDER = """
import sys, time
import torch
from methods.stylegallery.optimisation import Course, Optimiser
from methods.stylegallery.schedule import optimisation_steps
from stylekit.diffusion import self_attention_layers
from stylekit.foundation.attention import attention_for
from stylekit.foundation.stable_diffusion import StableDiffusion
from stylekit.foundation.unprompted import Unprompted
from stylekit.run import peak_memory
from tests.methods.stylegallery.plain import plain_latents

who, num_references, num_contents, num_steps = sys.argv[1], *map(int, sys.argv[2:])
foundation = StableDiffusion("mini_sd")
layers = self_attention_layers(foundation.denoiser, ("up_blocks.2", "up_blocks.3"))
course = Course(optimisation_steps("leading", num_steps, 1000), 1, 0.05, 0.26, 1.0, 1.5, "zero")
draw = torch.Generator().manual_seed(0)
references = torch.randn(num_references, 16, 16, 16, generator=draw)
contents = torch.randn(num_contents, 2, 1, 16, 16, 16, generator=draw)
quarters = 1 + torch.arange(16)[:, None] // 8 + 2 * (torch.arange(16) // 8)   # four regions in each
offered = quarters + 4 * torch.arange(num_references)[:, None, None]
wanted = quarters + 4 * ((quarters - 1) % num_references)
optimiser = Optimiser(course, 2**30)
began = time.perf_counter()
for begin, content in contents:
    given = begin, content, references, wanted, offered
    with attention_for(begin.device, foundation.image_size):
        if who == "ours":
            optimiser.optimise(Unprompted(foundation, layers), *given)
        else:
            plain_latents(foundation, layers, course, *given)
print((time.perf_counter() - began) / num_contents, peak_memory())
"""


@pytest.mark.bench
@pytest.mark.filterwarnings("ignore")
def test_stylegallery(benchmark, keep, numbers_of):
    """Seconds an image and peak memory for contents that share references, and how seconds grow."""

    def measure(who: str, references: int, steps: int = 50) -> tuple[float, ...]:
        return numbers_of(_RENDER, who, str(references), str(CONTENTS), str(steps))

    def all_of_it() -> dict[str, list[tuple[float, ...]]]:
        found: dict[str, list[tuple[float, ...]]] = {}
        for _ in range(ROUNDS):
            for count in REFERENCES:
                for who in ("ours", "plain"):
                    found.setdefault(f"{who}_{count}", []).append(measure(who, count))
            for steps in STEPS:
                found.setdefault(f"steps_{steps}", []).append(measure("ours", 1, steps))
        return found

    found = benchmark.pedantic(all_of_it, rounds=1)
    seconds = {name: statistics.median(one[0] for one in rounds) for name, rounds in found.items()}
    ratios = {
        count: statistics.median(
            plain[0] / ours[0]
            for plain, ours in zip(found[f"plain_{count}"], found[f"ours_{count}"], strict=True)
        )
        for count in REFERENCES
    }
    keep(
        f"seconds an image of StyleGallery on mini_sd: {CONTENTS} contents, 50 steps, by references",
        seconds={name: round(value, 3) for name, value in seconds.items()},
        plain_over_ours={str(count): round(ratio, 2) for count, ratio in ratios.items()},
        peak_bytes={who: max(one[1] for one in found[f"{who}_5"]) for who in ("ours", "plain")},
    )
    assert all(ratio > 1.0 for ratio in ratios.values())
