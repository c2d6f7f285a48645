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
from stylekit.metrics.lab import to_lab
from stylekit.metrics.region_statistics import RegionMoments, moment_distance, region_moments
from stylekit.metrics.retrieval import csd_map_at_k, leakage, map_full, nearest, recall_at_k, relevance
from stylekit.metrics.segmentation import (
    adjusted_rand_index,
    best_ious,
    contingency,
    matched_ious,
)
from stylekit.metrics.structure import structure
from stylekit.metrics.unit import UNITS, Better, Unit, UnitForm, unit_note

__all__ = [
    "UNITS",
    "Better",
    "Interval",
    "RegionMoments",
    "Unit",
    "UnitForm",
    "adjusted_rand_index",
    "art_frechet_values",
    "best_ious",
    "contingency",
    "csd_map_at_k",
    "diversity",
    "frechet_distance",
    "frechet_values",
    "kernel_distance",
    "kernel_values",
    "leakage",
    "map_full",
    "matched_ious",
    "mean_interval",
    "moment_distance",
    "nearest",
    "paired_difference",
    "psnr",
    "recall_at_k",
    "region_moments",
    "relevance",
    "structure",
    "to_lab",
    "unit_note",
]
