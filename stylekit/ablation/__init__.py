"""Ablations: vary one thing at a time over an experiment, run every point, compare them."""

from stylekit.ablation.plan import Ablation
from stylekit.ablation.runner import ablate
from stylekit.ablation.search import Range, Search
from stylekit.ablation.summary import AblationResult, read_ablation

__all__ = ["Ablation", "AblationResult", "Range", "Search", "ablate", "read_ablation"]
