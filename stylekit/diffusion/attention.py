"""Look into the self-attention of a denoiser of diffusers, or change it, by the names of its layers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from jaxtyping import Float
from torch import Tensor, nn

from stylekit.errors import ConfigError

__all__ = ["Attend", "Attended", "Recorder", "attending", "self_attention_layers"]

Attend = Callable[[str, Tensor, Tensor, Tensor], Tensor]
"""Takes the name of a layer, and queries, keys and values as (n, heads, tokens, d); returns what is seen."""


class Attended(NamedTuple):
    """What went on in a layer."""

    queries: Float[Tensor, "n heads tokens d"]
    keys: Float[Tensor, "n heads tokens d"]
    values: Float[Tensor, "n heads tokens d"]
    seen: Float[Tensor, "n heads tokens d"]
    """Before it is mapped back and added."""


class Recorder:
    """Attends as the network does, and keeps what went on in each layer until the next time."""

    def __init__(self) -> None:
        self.layers: dict[str, Attended] = {}

    def __call__(self, name: str, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        seen = F.scaled_dot_product_attention(queries, keys, values)
        self.layers[name] = Attended(queries, keys, values, seen)
        return seen


def self_attention_layers(network: nn.Module, within: Sequence[str] = ("",)) -> list[str]:
    """Name the layers of self-attention that lie in these parts of a UNet, in the order of execution.

    A part is named by the beginning of its name, as `up_blocks.2`.
    """
    every = [
        name
        for name, module in network.named_modules()
        if isinstance(module, Attention) and not module.is_cross_attention
    ]
    # diffusers registers the middle block after the upper ones (see `named_modules`).
    order = {"down_blocks": 0, "mid_block": 1, "up_blocks": 2}
    every.sort(key=lambda name: order.get(name.partition(".")[0], 3))  # stable
    found = [name for name in every if any(_lies_in(name, part) for part in within)]
    if lost := [part for part in within if not any(_lies_in(name, part) for name in every)]:
        raise ConfigError(
            f"{type(network).__name__} has no self-attention in {', '.join(lost)}; it has: "
            f"{', '.join(every) or 'none'}."
        )
    return found


@contextmanager
def attending(network: nn.Module, names: Collection[str], attend: Attend) -> Iterator[None]:
    """Let the named layers of self-attention attend in another way, and put back how they did, always."""
    layers: dict[str, Any] = {name: network.get_submodule(name) for name in names}
    before = {name: layer.processor for name, layer in layers.items()}
    try:
        for name, layer in layers.items():
            layer.set_processor(_Attending(name, attend))
        yield
    finally:
        for name, layer in layers.items():
            layer.set_processor(before[name])


class _Attending:
    """A processor of diffusers' `Attention`: its own maps, and `attend` between them."""

    def __init__(self, name: str, attend: Attend) -> None:
        self.name, self.attend = name, attend

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        assert encoder_hidden_states is None, "it is self-attention"
        assert attention_mask is None, "no token of an image is left out"
        assert hidden_states.ndim == 3, "tokens, as Transformer2DModel gives them"
        assert attn.spatial_norm is attn.group_norm is None, "as in UNets"
        maps = (attn.to_q, attn.to_k, attn.to_v)
        queries, keys, values = (_split(to(hidden_states), attn.heads) for to in maps)
        seen = self.attend(self.name, queries, keys, values)
        back: Tensor = attn.to_out[1](attn.to_out[0](seen.transpose(1, 2).flatten(2)))
        if attn.residual_connection:
            back = back + hidden_states
        return back / float(attn.rescale_output_factor)


def _split(states: Tensor, heads: int) -> Float[Tensor, "n heads tokens d"]:
    return states.view(*states.shape[:2], heads, -1).transpose(1, 2)


def _lies_in(name: str, part: str) -> bool:
    return not part or name == part or name.startswith(f"{part}.")
