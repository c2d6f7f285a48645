"""Measures named for their definitions, and intervals for them."""

from stylekit.metrics.bootstrap import Interval, mean_interval, paired_difference
from stylekit.metrics.retrieval import csd_map_at_k, leakage, map_full, nearest, recall_at_k, relevance

__all__ = [
    "Interval",
    "csd_map_at_k",
    "leakage",
    "map_full",
    "mean_interval",
    "nearest",
    "paired_difference",
    "recall_at_k",
    "relevance",
]
