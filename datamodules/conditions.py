"""What text encoders make of prompts: read once, kept on disk, looked up by prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from stylekit.encoding_cache import (
    EncodingDtype,
    PromptEncoder,
    PromptEncodings,
    encode_prompts,
    encoder_identity,
)
from stylekit.errors import ConfigError

__all__ = ["read_prompts"]

_STORED: dict[torch.dtype, EncodingDtype] = {torch.bfloat16: "bfloat16", torch.float16: "float16"}


def read_prompts(prompts: Sequence[str], encoder: PromptEncoder, cache_dir: Path) -> PromptEncodings:
    """Read every prompt on the accelerator, if there is one, or look up what was read before."""
    if not isinstance(encoder, nn.Module):
        raise ConfigError(f"data.prompt_encoder must be a module of torch, not {type(encoder).__name__}.")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = _STORED.get(next(encoder.parameters()).dtype, "float32")
    identity = encoder_identity(encoder)

    def read(some: list[str]) -> Mapping[str, Tensor]:
        encoder.to(device)
        return encoder.condition(some)

    try:
        return encode_prompts(cache_dir, prompts, read, identity, encoder.reads_with, dtype)
    finally:
        encoder.to("cpu")
