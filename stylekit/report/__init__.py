"""Reports: results, curves and pictures of any runs on one page that needs nothing else."""

from stylekit.report.writing import report

__all__ = ["report"]
