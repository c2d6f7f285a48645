"""Tokenizers for the prompts of the atelier, of the classes that pipelines of diffusers load.

A phrase of the prompts' grammar is one token, its comma or preposition with it (`a large`, `cat`, `left of`,
`on the grass.`, `moves up.`, `with cream`, `, ink line`), so a content prompt has 3 to 9 tokens, motions 2 to
12 more, and a style prompt 14.
Large and small letters are the same. Whatever is no phrase becomes `<unk>`.
"""

from __future__ import annotations

import struct
from itertools import chain
from string import ascii_lowercase
from typing import get_args

from tokenizers import AddedToken
from transformers import CLIPTokenizer, T5TokenizerFast

from stylekit.atelier.motion import MOTIONS, plural_of
from stylekit.atelier.palette import COLOURS
from stylekit.atelier.scene import COUNTS, RELATIONS, SETTINGS, Size
from stylekit.atelier.style_words import DISTRIBUTIONS, EDGES, IDENTITIES, LIGHTS, MEDIA, OUTLINES
from stylekit.atelier.vocabulary import VOCABULARY

__all__ = ["clip_tokenizer", "phrases", "t5_tokenizer"]


def clip_tokenizer(max_length: int) -> CLIPTokenizer:
    """Build `<|startoftext|>` (0), phrases, `<|endoftext|>` (1), filled up with `<|endoftext|>`.

    The model's config must say `eos_token_id=1`: at 2, CLIP takes its summary where the id is largest.
    """
    special = {"<|startoftext|>": 0, "<|endoftext|>": 1, "<unk>": 2}
    tokenizer = CLIPTokenizer(vocab=special, merges=[], unk_token="<unk>", model_max_length=max_length)
    tokenizer.add_tokens(_added_tokens())
    return tokenizer


def t5_tokenizer(max_length: int) -> T5TokenizerFast:
    """Build phrases, `</s>` (1), filled up with `<pad>` (0)."""
    special = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    tokenizer = T5TokenizerFast(
        vocab=special,
        extra_ids=0,
        _spm_precompiled_charsmap=_lower_case_map(),
        model_max_length=max_length,
    )
    tokenizer.add_tokens(_added_tokens())
    return tokenizer


def phrases() -> list[str]:
    """List what is one token, in small letters."""
    quantities = ["a", "an", *COUNTS[1:]]
    sizes = [f"{size} " for size in get_args(Size) if size != "medium"]
    closing = [*SETTINGS, *(f", {edge}" for edge in EDGES)]
    of_media = dict.fromkeys(
        chain.from_iterable((*words.textures, *words.brushworks) for words in MEDIA.values())
    )
    listed = [*COLOURS, *(f"{light} light" for light in LIGHTS), *MEDIA, *of_media, *OUTLINES]
    found = [
        *(f"{quantity} {size}".rstrip() for quantity in quantities for size in ("", *sizes)),
        *chain.from_iterable((thing.name, thing.plural) for thing in VOCABULARY),
        *RELATIONS,
        *(f"{phrase}{stop}" for phrase in closing for stop in ("", ".")),
        "in the style of",
        *IDENTITIES,
        *(f"{word} {colour}" for word in ("with", "and") for colour in COLOURS),
        *(f"in {distribution}" for distribution in DISTRIBUTIONS),
        *(f", {phrase}" for phrase in listed),
        "the",
        "everything",
        *(f"{verb}." for motion in MOTIONS for verb in (motion, plural_of(motion))),
    ]
    return list(dict.fromkeys(found))


def _added_tokens() -> list[AddedToken]:
    # Both classes of transformers 5 rebuild their model and word splitter when they are loaded; added tokens,
    # which are found before words are split, are what they keep. A comma stands at the end of a word.
    return [AddedToken(phrase, single_word=phrase[0] != ",", normalized=True) for phrase in phrases()]


def _lower_case_map() -> bytes:
    """Return A-Z to a-z as a character map of sentencepiece: the one normalizer that T5's class keeps.

    The map is the size of a Darts double array, the array, and the texts it points to. From the root a letter
    leads to unit 256 + letter, and from there to unit 768 + letter, which holds where its text begins.
    """
    units = [0] * 1024
    units[0] = 256 << 10
    for index, letter in enumerate(ascii_lowercase):
        code = ord(letter.upper())
        units[256 + code] = 512 << 10 | 1 << 8 | code
        units[768 + code] = 2 * index  # a letter and its closing zero
    array = struct.pack("<1024I", *units)
    return struct.pack("<I", len(array)) + array + "\0".join([*ascii_lowercase, ""]).encode()
