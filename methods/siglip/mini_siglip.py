"""Lay out mini_siglip before it is trained: architecture and tokenizer, from the words of the atelier.

    python -m methods.siglip.mini_siglip FOLDER

`stylekit train pretrain_mini_siglip` draws random weights for this architecture and trains them;
`python -m methods.siglip.mini_siglip FOLDER --run RUN` then writes what it learned into the folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast, SiglipConfig

from stylekit.atelier import sample_scenes, sample_styles
from stylekit.foundation.siglip import Siglip
from stylekit.learned import load_method

__all__ = ["lay_out", "ship"]

NUM_PROMPTS = 30_000  # enough that every word of the atelier occurs


def lay_out(folder: Path) -> None:
    """Write config and tokenizer."""
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(folder)
    special = {f"{kind}_token_id": tokenizer.pad_token_id for kind in ("pad", "bos", "eos")}
    text = {
        "vocab_size": len(tokenizer),
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 64,
        "projection_size": 128,
        **special,
    }
    vision = {
        "hidden_size": 128,
        "intermediate_size": 384,
        "num_hidden_layers": 5,
        "num_attention_heads": 4,
        "image_size": 64,
        "patch_size": 8,
    }
    SiglipConfig(text_config=text, vision_config=vision).save_pretrained(folder)


def ship(run: Path, folder: Path) -> None:
    """Write the towers that a run learned, in half precision."""
    foundation = load_method(run).foundation
    assert isinstance(foundation, Siglip)
    foundation.save(folder, torch.float16)


def _tokenizer() -> PreTrainedTokenizerFast:
    split = pre_tokenizers.Whitespace()
    prompts = [scene.prompt() for scene in sample_scenes(NUM_PROMPTS, seed=0)]
    prompts += [style.prompt() for style in sample_styles(NUM_PROMPTS, seed=0)]
    words = sorted({word for prompt in prompts for word, _ in split.pre_tokenize_str(prompt.lower())})
    vocabulary = {word: index for index, word in enumerate(["<pad>", "<unk>", *words])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = split
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>")


def main() -> None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--run", type=Path, help="a finished run of pretrain_mini_siglip")
    arguments = parser.parse_args()
    if arguments.run is None:
        lay_out(arguments.folder)
    else:
        ship(arguments.run, arguments.folder)


if __name__ == "__main__":
    main()
