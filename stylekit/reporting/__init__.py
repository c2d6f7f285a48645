"""Reports: results, curves and pictures of any runs on one page that needs nothing else."""

from stylekit.reporting.sheet import write_sheet
from stylekit.reporting.writing import report

__all__ = ["report", "write_sheet"]
