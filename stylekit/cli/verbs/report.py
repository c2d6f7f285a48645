"""stylekit report."""

from __future__ import annotations

import argparse
from pathlib import Path

import stylekit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    what = "run folders, folders of runs, ablation folders (runs/ablations/NAME), result files"
    parser.add_argument("targets", nargs="+", type=Path, metavar="TARGET", help=what)
    parser.add_argument(
        "--out", type=Path, metavar="FILE.html", help="where to write it (default: report.html)"
    )
    parser.add_argument("--title", help="of the page")


def run(arguments: argparse.Namespace) -> None:
    """Write the page."""
    stylekit.report(*arguments.targets, out=arguments.out, title=arguments.title)
