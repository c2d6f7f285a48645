"""Benchmarks: data and metrics that any method of a kind can be held against."""

from stylekit.benchmarks.benchmark import Benchmark, BenchmarkResult, Scores
from stylekit.benchmarks.caption_retrieval import CaptionRetrieval
from stylekit.benchmarks.drawing_reading import DrawingReading
from stylekit.benchmarks.emoji_vendors import EmojiVendors
from stylekit.benchmarks.prompt_following import PromptFollowing
from stylekit.benchmarks.reconstruction import Reconstruction
from stylekit.benchmarks.region_quality import RegionQuality
from stylekit.benchmarks.regional_style import RegionalStyle
from stylekit.benchmarks.style_bench import StyleBench
from stylekit.benchmarks.style_retrieval import StyleRetrieval

__all__ = [
    "Benchmark",
    "BenchmarkResult",
    "CaptionRetrieval",
    "DrawingReading",
    "EmojiVendors",
    "PromptFollowing",
    "Reconstruction",
    "RegionQuality",
    "RegionalStyle",
    "Scores",
    "StyleBench",
    "StyleRetrieval",
]
