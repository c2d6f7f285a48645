"""How much memory a foundation takes, found by running its architecture on tensors without storage.

torch's fake tensors have a shape and a dtype and no numbers, so a forward and a backward pass of a
12-billion-parameter model takes seconds and no memory, and every tensor that a real step would
allocate is created and freed in the same order. `Meter` adds up those alive.

What is not counted: the driver's context (0.5 to 1 GB on CUDA), gaps between allocations, and workspaces
inside kernels. Attention is counted as fused (its inputs and its output, not the matrix of weights).
"""

from __future__ import annotations

import re
import weakref
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stylekit.foundation.architecture import Component

__all__ = [
    "ADAPTED",
    "LEARNED_BYTES",
    "Meter",
    "Step",
    "adapted_layers",
    "measure_inference",
    "measure_training",
]

_ATTENTION = r"(.*\.)?(to_[qkv]|to_out\.0|add_[qkv]_proj|to_add_out|[qkv]_proj|out_proj)"
ADAPTED = {
    "FluxTransformer2DModel": r"(single_)?transformer_blocks\.\d+\..*",
    "SiglipModel": r"vision_model\." + _ATTENTION,
    "CLIPModel": r"vision_model\." + _ATTENTION,
}
"""Names of the layers that get an adapter: with FLUX every linear one in the blocks, as MegaStyle-FLUX; else
the projections of the attentions, in encoders of the image tower's."""

LEARNED_BYTES = 12
"""A learned parameter in float32 and Adam's two moments; its gradient is alive within the step."""

Inputs = Callable[[torch.dtype], dict[str, Any]]


@dataclass(frozen=True)
class Step:
    """Bytes of one step of training or inference.

    Args:
        weights: Frozen ones.
        learned: Learned ones with Adam's two moments.
        working: The most that was alive of what the step made: activations, gradients, results.
    """

    weights: int
    learned: int
    working: int

    @property
    def total(self) -> int:
        """All of them at the moment when most are alive."""
        return self.weights + self.learned + self.working


class Meter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sums the bytes of the tensors that are made inside it and still alive, and remembers the most."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive = 0
        self.most = 0
        self._known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def ignore(self, *tensors: Tensor) -> None:
        """Leave out what was there before."""
        for tensor in tensors:
            self._known.add(tensor.untyped_storage())

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation and account for the storages of what it returns."""
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.untyped_storage() not in self._known:
                storage = leaf.untyped_storage()
                self._known.add(storage)
                self.alive += storage.nbytes()
                weakref.finalize(storage, self._free, storage.nbytes())
        self.most = max(self.most, self.alive)
        return result

    def _free(self, size: int) -> None:
        self.alive -= size


def adapted_layers(model: nn.Module, class_name: str) -> dict[str, nn.Linear]:
    """Return the linear layers that a LoRA of this class of model is put on, by name."""
    pattern = re.compile(ADAPTED.get(class_name, _ATTENTION))
    return {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear) and pattern.fullmatch(name)
    }


def measure_training(
    component: Component,
    inputs: Inputs,
    dtype: torch.dtype,
    rank: int | None = None,
    checkpointing: bool = False,
) -> Step:
    """Measure one step: forward, mean square, backward, under autocast, the model frozen in `dtype`.

    Args:
        component: The model.
        inputs: Its arguments, made inside when the dtype is known.
        dtype: Of the frozen weights and of the computation.
        rank: Of a LoRA in float32 on `adapted_layers`; None trains every weight, in float32.
        checkpointing: Recompute each block in the backward pass instead of keeping what it saved.
    """
    with FakeTensorMode():
        kept = dtype if rank is not None else torch.float32
        model = _build(component, kept).train().requires_grad_(rank is None)
        if rank is not None:
            _adapt(model, component.class_name, rank)
        if checkpointing:
            _checkpoint(model)
        meter = Meter()
        meter.ignore(*model.parameters(), *model.buffers())
        with meter, _autocast(dtype):
            loss = _run(model, inputs(dtype)).float().square().mean()
            loss.backward()  # type: ignore[no-untyped-call]
        learned = sum(one.numel() for one in model.parameters() if one.grad is not None)
        frozen = sum(one.numel() for one in model.parameters() if one.grad is None)
    return Step(frozen * kept.itemsize, learned * LEARNED_BYTES, meter.most)


def measure_inference(component: Component, inputs: Inputs, dtype: torch.dtype) -> Step:
    """Measure one forward pass without gradients, the model in `dtype`."""
    with FakeTensorMode(), torch.no_grad():
        model = _build(component, dtype).eval()
        meter = Meter()
        meter.ignore(*model.parameters(), *model.buffers())
        with meter:
            _run(model, inputs(dtype))
    return Step(sum(one.numel() for one in model.parameters()) * dtype.itemsize, 0, meter.most)


def _build(component: Component, dtype: torch.dtype) -> nn.Module:
    """Build on the meta device, where initialising is free, and give it fake weights of the dtype."""
    with torch.device("meta"):
        model = component.build()
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            module.register_parameter(name, nn.Parameter(torch.empty(parameter.shape, dtype=dtype)))
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, torch.empty(buffer.shape, dtype=buffer.dtype))
    return model


def _run(model: nn.Module, arguments: dict[str, Any]) -> Tensor:
    """Call the model, or the part of it that the arguments name with `part`."""
    called = model
    for part in arguments.pop("part", "").split("."):
        called = getattr(called, part) if part else called
    result = called(**arguments)
    return result.pooler_output if "pooler_output" in result else result[0]  # type: ignore[no-any-return]


def _adapt(model: nn.Module, class_name: str, rank: int) -> None:
    """Add to each layer what a LoRA adds: a product of two narrow matrices, in float32."""
    for layer in adapted_layers(model, class_name).values():
        layer.register_parameter("adapter_down", nn.Parameter(torch.zeros(rank, layer.in_features)))
        layer.register_parameter("adapter_up", nn.Parameter(torch.zeros(layer.out_features, rank)))
        layer.register_forward_hook(_add_adapter)


def _add_adapter(layer: nn.Module, arguments: tuple[Any, ...], result: Tensor) -> Tensor:
    down, up = layer.get_parameter("adapter_down"), layer.get_parameter("adapter_up")
    return result + F.linear(F.linear(arguments[0].to(down.dtype), down), up).to(result.dtype)


def _checkpoint(model: nn.Module) -> None:
    names = (
        "enable_gradient_checkpointing",  # diffusers
        "activation_checkpointing_enable",  # transformers
        "gradient_checkpointing_enable",  # transformers before it renamed the other
    )
    next(getattr(model, name) for name in names if hasattr(model, name))()


def _autocast(dtype: torch.dtype) -> AbstractContextManager[Any]:
    return nullcontext() if dtype == torch.float32 else torch.autocast("cpu", dtype=dtype)
