from __future__ import annotations

from pathlib import Path

import pytest
import torch

from methods.text_to_image.mini import lay_out
from stylekit.errors import ConfigError
from stylekit.foundation.stable_diffusion import StableDiffusion


def test_a_sampler_keeps_the_noise_schedule(tmp_path: Path) -> None:
    lay_out("mini_sd", tmp_path)
    plain = StableDiffusion(str(tmp_path), num_steps=4)
    own = plain.pipeline.scheduler
    own.register_to_config(timestep_spacing="leading", steps_offset=1)
    own.save_config(tmp_path / "scheduler")
    trailing = StableDiffusion(str(tmp_path), num_steps=4, sampler="ddim_trailing")
    few = StableDiffusion(str(tmp_path), num_steps=4, sampler="lcm")
    prompts = ["A cat on the grass."]
    images = [one.generate(prompts, [0]) for one in (plain, trailing, few)]
    assert not any(torch.allclose(one, images[0], atol=1e-2) for one in images[1:])
    for one in (trailing, few):
        assert torch.equal(own.alphas_cumprod, one.pipeline.scheduler.alphas_cumprod)
        assert own.config.prediction_type == one.pipeline.scheduler.config.prediction_type
    # The ends of the quarters, where four-step models were distilled.
    trailing.pipeline.scheduler.set_timesteps(4)
    assert trailing.pipeline.scheduler.timesteps.tolist() == [999, 749, 499, 249]


def test_a_lora_and_fewer_bits_exclude_each_other() -> None:
    with pytest.raises(ConfigError, match=r"leave out foundation\.quantize"):
        StableDiffusion("mini_sd", lora="owner/name", quantize="nf4")
