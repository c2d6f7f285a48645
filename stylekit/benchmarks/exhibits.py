"""What can be looked at beside the numbers: what was retrieved or rendered, how, and where images lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from stylekit.benchmarks.board import Board, to_bytes
from stylekit.explanation import draw_explanation, tell_explanation
from stylekit.method import Explanation
from stylekit.metrics import nearest

__all__ = ["MOST_EXPLAINED", "embedding_map", "explanations", "retrieval_strips", "sheet", "spread"]

_STRIPS = 6
_DEPTH = 10
_MAP_STYLES = 16
_SHEET_ROWS = 16
MOST_EXPLAINED = 4
"""Images of a board whose explanations are kept."""


def retrieval_strips(embeddings: Float[Tensor, "n d"], board: Board) -> dict[str, NDArray[Any]]:
    """Keep queries with their ten nearest images, always the same queries, spread over the styles."""
    styles = torch.unique(board.style_ids)
    chosen = styles[torch.linspace(0, len(styles) - 1, min(_STRIPS, len(styles))).long()]
    # Another content for each, so that the strips do not all show the same thing.
    queries = [
        int(rows[number % len(rows)])
        for number, style in enumerate(chosen)
        for rows in [torch.nonzero(board.style_ids == style).flatten()]
    ]
    sizes = torch.bincount(board.groups) if board.groups is not None else torch.tensor([len(embeddings)])
    depth = min(_DEPTH, int(sizes[sizes > 0].min()) - 1)
    asked = torch.tensor(queries)
    rows = torch.cat([asked[:, None], nearest(embeddings, depth, board.groups, queries=asked)], dim=1)
    name = f"strips/{board.name}"
    return {
        f"{name}/pixels": _pixels(board, rows),
        f"{name}/same_style": (board.style_ids[rows] == board.style_ids[rows[:, :1]]).numpy(),
        f"{name}/same_content": (board.content_ids[rows] == board.content_ids[rows[:, :1]]).numpy(),
    }


def embedding_map(embeddings: Float[Tensor, "n d"], board: Board) -> dict[str, NDArray[Any]]:
    """Keep the vectors of a few styles, for a map; those of one group, where styles are ranked in groups."""
    ranked = board.style_ids if board.groups is None else board.style_ids[board.groups == board.groups[0]]
    few = torch.unique(ranked)[:_MAP_STYLES]
    rows = torch.isin(board.style_ids, few)
    name = f"map/{board.name}"
    return {
        f"{name}/vectors": embeddings[rows].half().numpy(),
        f"{name}/style_ids": board.style_ids[rows].numpy(),
        f"{name}/content_ids": board.content_ids[rows].numpy(),
    }


def spread(count: int, most: int = _SHEET_ROWS) -> list[int]:
    """Choose the rows of a sheet, spread over all."""
    return torch.linspace(0, count - 1, min(most, count)).long().tolist()


def sheet(
    board: str, images: Float[Tensor, "n k 3 h w"], captions: Sequence[str] = ()
) -> dict[str, NDArray[Any]]:
    """Keep rows of rendered images, each with a caption or none with any."""
    found: dict[str, NDArray[Any]] = {f"sheet/{board}/pixels": to_bytes(images).numpy()}
    return found | ({f"sheet/{board}/captions": np.array(captions)} if captions else {})


def explanations(board: str, explained: Mapping[str, Explanation]) -> dict[str, NDArray[Any]]:
    """Keep how a few images came about, each under a caption."""
    found: dict[str, NDArray[Any]] = {}
    for number, (caption, one) in enumerate(explained.items()):
        opening = f"explained/{board}/{number}"
        found[f"{opening}/caption"] = np.array(caption)
        found[f"{opening}/told"] = np.array(tell_explanation(one))
        if one.pictures:
            found[f"{opening}/pixels"] = np.asarray(draw_explanation(one))
    return found


def _pixels(board: Board, rows: Tensor) -> NDArray[np.uint8]:
    wanted = set(rows.flatten().tolist())
    kept: dict[int, Tensor] = {}
    start = 0
    for images in board.batches():
        for row in wanted & set(range(start, start + len(images))):
            kept[row] = (images[row - start] * 255).round().to(torch.uint8)
        start += len(images)
    shown = torch.stack([kept[row] for row in rows.flatten().tolist()])
    pixels: NDArray[np.uint8] = shown.reshape(*rows.shape, *shown.shape[1:]).numpy()
    return pixels
