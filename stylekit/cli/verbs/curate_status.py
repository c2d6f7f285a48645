"""stylekit curate status."""

from __future__ import annotations

import argparse
from pathlib import Path

import stylekit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument("out", type=Path, metavar="FOLDER", help="that `stylekit curate` writes to")


def run(arguments: argparse.Namespace) -> None:
    """Print a line for each step."""
    print(stylekit.curate_status(arguments.out))
