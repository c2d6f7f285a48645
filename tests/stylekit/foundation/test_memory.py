"""What is reckoned on tensors without storage, against what a real step allocates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from stylekit.foundation.architecture import Component, published, read_architecture
from stylekit.foundation.example_inputs import Job, inputs
from stylekit.foundation.memory import (
    LEARNED_BYTES,
    Meter,
    adapted_layers,
    measure_inference,
    measure_training,
)

FLUX = {
    "patch_size": 1,
    "in_channels": 16,
    "num_layers": 2,
    "num_single_layers": 4,
    "attention_head_dim": 16,
    "num_attention_heads": 4,
    "joint_attention_dim": 32,
    "pooled_projection_dim": 32,
    "axes_dims_rope": [4, 4, 8],
    "guidance_embeds": True,
}
TINY = Component("transformer", "diffusers", "FluxTransformer2DModel", FLUX, "float32")
FACTOR = 1.1


def arguments(dtype: torch.dtype) -> dict[str, Any]:
    return {
        "hidden_states": torch.zeros(2, 256, 16, dtype=dtype),
        "encoder_hidden_states": torch.zeros(2, 64, 32, dtype=dtype),
        "pooled_projections": torch.zeros(2, 32, dtype=dtype),
        "timestep": torch.zeros(2, dtype=dtype),
        "guidance": torch.zeros(2, dtype=dtype),
        "img_ids": torch.zeros(256, 3),
        "txt_ids": torch.zeros(64, 3),
        "return_dict": False,
    }


def peak(step: Any) -> int:
    """The most bytes that the allocator had given out during a step, as torch's profiler counts them."""
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        step()
    events = profile.profiler.kineto_results.events()  # type: ignore[union-attr]
    alive = most = 0
    for event in sorted((one for one in events if one.name() == "[memory]"), key=lambda one: one.start_ns()):
        alive += event.nbytes()
        most = max(most, alive)
    return most


@pytest.mark.parametrize("checkpointing", [False, True])
def test_training_is_reckoned_as_the_allocator_counts_it(checkpointing: bool) -> None:
    from peft import LoraConfig

    model: Any = TINY.build()
    targets = list(adapted_layers(model, TINY.class_name))
    model.requires_grad_(False).train()
    model.add_adapter(LoraConfig(r=8, target_modules=targets))
    learned = sum(one.numel() for one in model.parameters() if one.requires_grad)
    frozen = sum(one.numel() for one in model.parameters() if not one.requires_grad)
    if checkpointing:
        model.enable_gradient_checkpointing()

    def step() -> None:
        model(**arguments(torch.float32))[0].float().square().mean().backward()

    step()  # what is allocated once
    model.zero_grad()
    reckoned = measure_training(TINY, arguments, torch.float32, rank=8, checkpointing=checkpointing)
    assert reckoned.weights == frozen * 4
    assert reckoned.learned == learned * LEARNED_BYTES
    assert peak(step) / FACTOR < reckoned.working < peak(step) * FACTOR


def test_inference_is_reckoned_as_the_allocator_counts_it() -> None:
    model: Any = TINY.build()

    def step() -> None:
        with torch.no_grad():
            model(**arguments(torch.float32))

    step()
    reckoned = measure_inference(TINY, arguments, torch.float32)
    assert peak(step) / FACTOR < reckoned.working < peak(step) * FACTOR
    assert reckoned.weights == sum(one.numel() for one in model.parameters()) * 4


def test_reckoning_covers_what_autograd_saves() -> None:
    model: Any = TINY.build().train()
    kept: dict[int, Any] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(**arguments(torch.float32))[0].sum()
    weights = {one.untyped_storage().data_ptr() for one in model.parameters()}
    saved = sum(one.untyped_storage().nbytes() for key, one in kept.items() if key not in weights)
    working = measure_training(TINY, arguments, torch.float32).working
    assert saved < working < 1.5 * saved


def test_whole_training_leaves_out_what_gets_no_gradient() -> None:
    siglip = published("google/siglip-base-patch16-224")
    step = measure_training(siglip.trained, lambda dtype: inputs(siglip, Job(224), dtype), torch.float32)
    with torch.device("meta"):
        model: Any = siglip.trained.build()
    tower = sum(one.numel() for one in model.vision_model.parameters())
    others = sum(one.numel() for one in model.text_model.parameters()) + 2  # scale and bias
    assert step.learned == tower * LEARNED_BYTES
    assert step.weights == others * 4


def test_half_precision_and_checkpointing_save_memory(tiny_pipeline: Path) -> None:
    pipeline = read_architecture(tiny_pipeline)

    def call(dtype: torch.dtype) -> dict[str, Any]:
        return inputs(pipeline, Job(64, 2), dtype)

    plain = measure_training(pipeline.trained, call, torch.float32, rank=4)
    half = measure_training(pipeline.trained, call, torch.bfloat16, rank=4)
    lean = measure_training(pipeline.trained, call, torch.float32, rank=4, checkpointing=True)
    assert half.weights * 2 == plain.weights
    assert half.working < plain.working
    assert lean.working < plain.working
    assert half.learned == plain.learned


def test_meter_counts_what_is_alive() -> None:
    with Meter() as meter:
        first = torch.zeros(100)
        assert meter.alive == 400
        second = first[:10] + 1  # a view adds nothing
        assert meter.alive == 440
        del first
        assert meter.alive == 40
        del second
    assert (meter.alive, meter.most) == (0, 440)


def test_adapters_are_on_attention_of_the_image_tower() -> None:
    with torch.device("meta"):
        layers = adapted_layers(published("openai/clip-vit-large-patch14").trained.build(), "CLIPModel")
    assert len(layers) == 24 * 4
    assert all(
        name.startswith("vision_model.") and isinstance(one, nn.Linear) for name, one in layers.items()
    )
