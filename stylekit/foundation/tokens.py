"""Prompts as tokens, as pipelines of diffusers make them.

Their own `encode_prompt` looks every token up among those that textual inversion added, which takes longer
than a training step of a mini model.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import BatchEncoding, PreTrainedTokenizerBase

__all__ = ["encode_with_t5", "tokenize"]

_KEEP = 2**23
"""Tokens, of eight bytes with their masks."""
_kept: WeakKeyDictionary[PreTrainedTokenizerBase, dict[tuple[str, int], Tensor]] = WeakKeyDictionary()


def tokenize(
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    encoder: nn.Module,
    max_length: int | None = None,
) -> BatchEncoding:
    """Fill up or cut to the tokenizer's own length, or to `max_length` if that is less.

    What was read is kept, as far as it is little: prompts of a data set come again with every epoch.
    """
    length = min(tokenizer.model_max_length, max_length or tokenizer.model_max_length)
    kept = _kept.setdefault(tokenizer, {})
    new = list({prompt: None for prompt in prompts if (prompt, length) not in kept})
    if len(kept) + len(new) > _KEEP // length:
        kept.clear()
        new = list(dict.fromkeys(prompts))
    if new:
        read = tokenizer(new, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        rows = torch.stack([read.input_ids, read.attention_mask], 1).int().unbind()
        kept.update(((prompt, length), row) for prompt, row in zip(new, rows, strict=True))
    ids, mask = torch.stack([kept[prompt, length] for prompt in prompts], 1).long()
    found = BatchEncoding({"input_ids": ids, "attention_mask": mask})
    return found.to(next(encoder.parameters()).device)


def encode_with_t5(
    tokenizer: PreTrainedTokenizerBase, encoder: nn.Module, prompts: Sequence[str], max_length: int
) -> tuple[Tensor, Tensor]:
    """Read prompts in small letters, as IF and Latte do.

    Returns a vector for each token (n, t, d), and which tokens are no padding (n, t).
    """
    small = [prompt.lower().strip() for prompt in prompts]
    tokens = tokenize(tokenizer, small, encoder, max_length)
    states: Tensor = encoder(tokens.input_ids, attention_mask=tokens.attention_mask)[0]
    return states, tokens.attention_mask
