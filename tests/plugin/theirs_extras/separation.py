"""A metric and a benchmark of their own."""

from typing import final

import torch

from stylekit.benchmarks import Benchmark, BenchmarkResult, Scores
from stylekit.method import StyleEncoder


def separation(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Half the distance of unit vectors, row by row: 0 for equal ones, 1 for opposite ones."""
    return (one - other).norm(dim=1) / 2


@final
class Separation(Benchmark[StyleEncoder]):
    fits = StyleEncoder

    def __init__(self, name: str = "theirs_separation") -> None:
        super().__init__(name)

    def run(self, method):
        colours = torch.rand(2, 6, 3, 1, 1, generator=torch.Generator().manual_seed(0)).expand(
            2, 6, 3, 32, 32
        )
        with torch.no_grad():
            values = separation(method.embed(colours[0]), method.embed(colours[1]))
        scores = Scores(values.tolist(), list(range(6)))
        return BenchmarkResult({"colours/separation": scores}, {"colours": {"images": 12}})
