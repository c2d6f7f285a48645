"""Which content meets which style, and what is asked of the generator for each pair."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from stylekit.errors import ConfigError

__all__ = ["deal", "join", "pair", "seed_of"]

_GOES_ON = "with "  # how a style begins that speaks of the outlines of what is shown
_ENDS = (".", "!", "?")


def pair(styles: pa.Table, contents: pa.Table, per_style: int = 8, seed: int = 0) -> pa.Table:
    """Give each style so many contents, and each pair a prompt, an id and a seed of its own.

    Args:
        styles: Rows with `id` and `style`.
        contents: Rows with `id` and `content`.
        per_style: Contents of a style, all different; MegaStyle takes 8.
        seed: Of the pairs and of their images.
    """
    hands = deal(len(styles), len(contents), per_style, seed)
    style_rows, content_rows = np.repeat(np.arange(len(styles)), per_style), hands.reshape(-1)
    of_style, of_content = styles.take(style_rows), contents.take(content_rows)
    style, content = of_style["style"].to_pylist(), of_content["content"].to_pylist()
    # as in the released set
    ids = [f"s{one:07d}_c{other:07d}" for one, other in zip(style_rows, content_rows, strict=True)]
    return pa.table(
        {
            "id": pa.array(ids, pa.string()),
            "style_id": of_style["id"],
            "content_id": of_content["id"],
            "style": of_style["style"],
            "content": of_content["content"],
            "prompt": pa.array(map(join, content, style), pa.string()),
            "seed": pa.array([seed_of(name, seed) for name in ids], pa.int64()),
        }
    )


def deal(num_styles: int, num_contents: int, per_style: int, seed: int) -> NDArray[np.int64]:
    """Deal contents to styles: (styles, per_style) indices, no content twice in a row.

    Contents are shuffled and dealt out, then shuffled anew, so that no content is used twice more often than
    another. The rows of the first styles stay as they are when more styles come.
    """
    if not 1 <= per_style <= num_contents:
        raise ConfigError(
            f"{num_contents} contents cannot give {per_style} different ones to a style: lower per_style "
            f"to at most {num_contents}, or bring more contents."
        )
    hands = np.empty((num_styles, per_style), dtype=np.int64)
    deck = np.empty(0, dtype=np.int64)
    shuffles = 0
    for row in range(num_styles):
        if len(deck) < per_style:
            fresh = np.random.default_rng((seed, shuffles)).permutation(num_contents)
            # what this style already has comes after what it lacks
            held = np.isin(fresh, deck)
            lacking = np.flatnonzero(~held)[: per_style - len(deck)]
            deck = np.concatenate([deck, fresh[lacking], np.delete(fresh, lacking)])
            shuffles += 1
        hands[row], deck = deck[:per_style], deck[per_style:]
    return hands


def join(content: str, style: str) -> str:
    """Make the generator's prompt, as the released prompts are made: content, full stop, style."""
    content = content.strip()
    if style.startswith(_GOES_ON):
        return f"{content.rstrip(''.join(_ENDS))} {style}"
    return f"{content} {style}" if content.endswith(_ENDS) else f"{content}. {style}"


def seed_of(name: str, seed: int = 0) -> int:
    """Return the seed of an item, which depends on nothing but its id."""
    return int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:4], "big")
