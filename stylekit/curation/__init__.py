"""MegaStyle's data pipeline (arXiv 2604.08364): from pools of images to a balanced data set of styles."""

from stylekit.curation.balancing import Balanced, Balancing, balanced_sample
from stylekit.curation.deduplication import Deduplicated, Deduplication
from stylekit.curation.figures import balance_figures, duplicate_figures, entropy, gini
from stylekit.curation.hierarchy import Hierarchy, build_hierarchy
from stylekit.curation.prompt_pool import PromptPool, make_prompt_pool
from stylekit.curation.removals import LEVELS, Level, Removals

__all__ = [
    "LEVELS",
    "Balanced",
    "Balancing",
    "Deduplicated",
    "Deduplication",
    "Hierarchy",
    "Level",
    "PromptPool",
    "Removals",
    "balance_figures",
    "balanced_sample",
    "build_hierarchy",
    "duplicate_figures",
    "entropy",
    "gini",
    "make_prompt_pool",
]
