"""Prompts read by a T5 encoder at the length that its tokenizer names."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

__all__ = ["encode_with_t5"]


def encode_with_t5(
    tokenizer: PreTrainedTokenizerBase, encoder: nn.Module, prompts: Sequence[str], max_length: int
) -> Float[Tensor, "n t d"]:
    """Return a vector for each token, padding included; `max_length` is that of the published pipeline."""
    tokens = tokenizer(
        list(prompts),
        padding="max_length",
        max_length=min(max_length, tokenizer.model_max_length),
        truncation=True,
        return_tensors="pt",
    ).to(next(encoder.parameters()).device)
    states: Tensor = encoder(tokens.input_ids, attention_mask=tokens.attention_mask)[0]
    return states
