"""Measures named for their definitions, and intervals for them."""

from stylekit.metrics.bootstrap import Interval, mean_interval, paired_difference
from stylekit.metrics.distribution import (
    art_frechet_values,
    frechet_distance,
    frechet_values,
    kernel_distance,
    kernel_values,
)
from stylekit.metrics.diversity import diversity
from stylekit.metrics.fidelity import psnr
from stylekit.metrics.retrieval import csd_map_at_k, leakage, map_full, nearest, recall_at_k, relevance
from stylekit.metrics.unit import UNITS, Unit, UnitForm, unit_note

__all__ = [
    "UNITS",
    "Interval",
    "Unit",
    "UnitForm",
    "art_frechet_values",
    "csd_map_at_k",
    "diversity",
    "frechet_distance",
    "frechet_values",
    "kernel_distance",
    "kernel_values",
    "leakage",
    "map_full",
    "mean_interval",
    "nearest",
    "paired_difference",
    "psnr",
    "recall_at_k",
    "relevance",
    "unit_note",
]
