"""Retrieval metrics, each named for its definition, over exact search.

"mAP" alone has several meanings in the literature, so none is called that here. All are computed leave one
out: every item is a query once, against all other items (or all others of its own group).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["csd_map_at_k", "leakage", "map_full", "nearest", "precision_at_ranks", "recall_at_k", "relevance"]

_BLOCK_SIZE = 256
"""Queries searched at once: 256 against 76,800 items are 79 MB of scores."""


def nearest(
    embeddings: Float[Tensor, "n d"],
    k: int,
    groups: Int[Tensor, " n"] | None = None,
    block_size: int = _BLOCK_SIZE,
    queries: Int[Tensor, " q"] | None = None,
) -> Int[Tensor, "_ k"]:
    """Find the k most similar other items of every item, exactly, most similar first.

    Similarity is the inner product, which is the cosine for unit vectors. Equal similarities are ordered by
    index. With groups, an item is compared with the others of its own group only. Where fewer than k others
    exist the row ends in -1. With queries, only those items are searched for, a row for each.
    """
    found = torch.full((len(embeddings), k), -1, dtype=torch.long)
    for members in _members(embeddings, groups):
        gallery = embeddings[members].float()
        reach = min(k, len(members) - 1)
        if reach < 1:
            continue
        asked = None if queries is None else torch.isin(members, queries).nonzero()[:, 0]
        for rows, scores in _score_blocks(gallery, block_size, asked):
            found[members[rows], :reach] = members[_top_indices(scores, reach)]
    return found if queries is None else found[queries]


def relevance(neighbours: Int[Tensor, "n k"], labels: Int[Tensor, " n"]) -> Bool[Tensor, "n k"]:
    """Tell which neighbours carry the label of their query; absent neighbours (-1) do not."""
    return (labels[neighbours] == labels[:, None]) & (neighbours >= 0)


def recall_at_k(relevant: Bool[Tensor, "n r"], k: int) -> Float[Tensor, " n"]:
    """Return the hit rate of each query: 1 if any of its first k neighbours is relevant, else 0.

    This is what style-retrieval papers call Recall@k; it is not the share of relevant items found.
    """
    _check_depth(relevant, k)
    return relevant[:, :k].any(dim=1).float()


def csd_map_at_k(relevant: Bool[Tensor, "n r"], k: int) -> Float[Tensor, " n"]:
    """Return the mean of precision@1 ... precision@k of each query, over ALL k ranks, hits or not.

    The "mAP@k" of CSD (learn2phoenix/CSD, metrics/metrics.py, get_map_bin) and of MegaStyle's Table 2, where
    mAP@1 equals Recall@1. It is not average precision, which averages over the ranks of the hits only.
    """
    _check_depth(relevant, k)
    return precision_at_ranks(relevant[:, :k]).mean(dim=1)


def precision_at_ranks(relevant: Bool[Tensor, "n r"]) -> Float[Tensor, "n r"]:
    """Return precision@1, precision@2, ... of each query."""
    ranks = torch.arange(1, relevant.shape[1] + 1)
    return relevant.float().cumsum(dim=1) / ranks


def map_full(
    embeddings: Float[Tensor, "n d"],
    labels: Int[Tensor, " n"],
    groups: Int[Tensor, " n"] | None = None,
    block_size: int = _BLOCK_SIZE,
) -> Float[Tensor, " n"]:
    """Return the average precision of each query over the full ranking (scikit-learn's, for distinct scores).

    The mean, over the relevant items, of the precision at the rank of each. NaN for a query without any
    relevant item. Equal similarities are ordered by index.
    """
    precision = torch.full((len(embeddings),), torch.nan)
    for members in _members(embeddings, groups):
        gallery, gallery_labels = embeddings[members].float(), labels[members]
        for rows, scores in _score_blocks(gallery, block_size):
            relevant = gallery_labels[rows, None] == gallery_labels[None, :]
            relevant[torch.arange(len(rows)), rows] = False
            precision[members[rows]] = _average_precision(scores, relevant)
    return precision


def leakage(
    neighbours: Int[Tensor, "n k"], style_ids: Int[Tensor, " n"], content_ids: Int[Tensor, " n"]
) -> Float[Tensor, " n"]:
    """Return 1 for each query whose nearest neighbour shares its content and not its style, else 0.

    The neighbour is the nearest of the whole gallery searched, so a nearest neighbour that shares neither
    counts as 0, as does one that shares both. Meaningful where both are on offer, that is where each query
    finds items of its style with other contents and items of its content with other styles; a board of
    styles x contents is such a gallery. Queries without any neighbour are NaN.
    """
    first = neighbours[:, 0]
    leaked = (content_ids[first] == content_ids) & (style_ids[first] != style_ids)
    return torch.where(first >= 0, leaked.float(), torch.nan)


def _members(embeddings: Tensor, groups: Tensor | None) -> Iterator[Tensor]:
    if not torch.isfinite(embeddings).all():
        raise ValueError(
            "embeddings hold NaN or infinite values: the encoder is broken or diverged in training"
        )
    if groups is None:
        yield torch.arange(len(embeddings))
    else:
        for group in torch.unique(groups):
            yield (groups == group).nonzero()[:, 0]


def _score_blocks(
    gallery: Tensor, block_size: int, asked: Tensor | None = None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield rows of queries and their scores against the gallery, the query itself at minus infinity."""
    for rows in torch.split(torch.arange(len(gallery)) if asked is None else asked, block_size):
        scores = gallery[rows] @ gallery.T
        scores[torch.arange(len(rows)), rows] = -torch.inf
        yield rows, scores


def _top_indices(scores: Tensor, k: int) -> Tensor:
    # topk chooses freely among equal scores. One more than k shows whether a tie crosses the end;
    # such rows are sorted whole, all others only among their k.
    values, indices = scores.topk(min(k + 1, scores.shape[1]), dim=1)
    indices, by_index = indices.sort(dim=1)
    order = values.gather(1, by_index).sort(dim=1, descending=True, stable=True).indices
    top = indices.gather(1, order)[:, :k]
    if values.shape[1] > k:
        tied = values[:, k - 1] == values[:, k]
        if tied.any():
            top[tied] = scores[tied].sort(dim=1, descending=True, stable=True).indices[:, :k]
    return top


def _average_precision(scores: Tensor, relevant: Tensor) -> Tensor:
    num_relevant = relevant.sum(dim=1)
    depth = int(num_relevant.max())
    if depth == 0:
        return torch.full((len(scores),), torch.nan)
    is_item = torch.arange(depth) < num_relevant[:, None]
    found = scores.masked_fill(~relevant, -torch.inf).topk(depth, dim=1).values  # best first
    # numpy sorts rows of floats several times faster than torch on CPU.
    ascending = torch.from_numpy(scores.numpy(force=True).copy())
    ascending.numpy().sort(axis=1)
    above = scores.shape[1] - torch.searchsorted(ascending, found.contiguous(), right=True)
    level = scores.shape[1] - torch.searchsorted(ascending, found.contiguous()) - above
    ranks = above + 1
    tied = ((level > 1) & is_item).any(dim=1)
    if tied.any():
        order = scores[tied].sort(dim=1, descending=True, stable=True).indices
        hits = relevant[tied].gather(1, order)
        places = torch.arange(1, scores.shape[1] + 1).expand_as(hits)
        ranks[tied] = places.masked_fill(~hits, scores.shape[1]).sort(dim=1).values[:, :depth]
    precision = torch.arange(1, depth + 1) / ranks
    return precision.masked_fill(~is_item, 0).sum(dim=1) / num_relevant


def _check_depth(relevant: Tensor, k: int) -> None:
    if not 1 <= k <= relevant.shape[1]:
        raise ValueError(f"k is {k}, but {relevant.shape[1]} neighbours were searched; choose 1 to that many")
