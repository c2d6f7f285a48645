"""Lay out mini_clip before it is trained: architecture, and the tokenizer of the atelier's phrases.

    python -m methods.clip.mini_clip FOLDER

`stylekit train pretrain_mini_clip` draws random weights for this architecture, takes the image tower of
mini_siglip, and trains both towers; `python -m methods.clip.mini_clip FOLDER --run RUN` then writes
what it learned into the folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from transformers import CLIPConfig

from stylekit.atelier.tokenizer import clip_tokenizer
from stylekit.foundation.clip import Clip
from stylekit.learned import load_method

__all__ = ["lay_out", "ship"]

MAX_LENGTH = 32  # the longest prompt of content and style has 25 tokens
WIDTHS = {"hidden_size": 128, "intermediate_size": 384, "num_attention_heads": 4, "projection_dim": 128}


def lay_out(folder: Path) -> None:
    """Write config and tokenizer."""
    tokenizer = clip_tokenizer(MAX_LENGTH)
    tokenizer.save_pretrained(folder)
    special = {f"{kind}_token_id": getattr(tokenizer, f"{kind}_token_id") for kind in ("bos", "eos", "pad")}
    text = {
        **WIDTHS,
        **special,
        "vocab_size": len(tokenizer),
        "num_hidden_layers": 2,
        "max_position_embeddings": MAX_LENGTH,
    }
    vision = {
        **WIDTHS,  # as mini_siglip, from which the image tower begins
        "num_hidden_layers": 5,
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6,
        "image_size": 64,
        "patch_size": 8,
    }
    CLIPConfig(text_config=text, vision_config=vision, projection_dim=128).save_pretrained(folder)


def ship(run: Path, folder: Path) -> None:
    """Write the towers that a run learned, in half precision."""
    foundation = load_method(run).foundation
    assert isinstance(foundation, Clip)
    foundation.save(folder, torch.float16)


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", type=Path, help="a finished run of pretrain_mini_clip")
    arguments = parser.parse_args()
    if arguments.run is None:
        lay_out(arguments.folder)
    else:
        ship(arguments.run, arguments.folder)


if __name__ == "__main__":
    main()
