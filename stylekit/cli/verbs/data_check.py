"""stylekit data check."""

from __future__ import annotations

import argparse

import stylekit
from stylekit.cli.arguments import add_overrides


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument(
        "target", metavar="EXPERIMENT_OR_DATA", help="an experiment, or a file of the data group"
    )
    add_overrides(parser)


def run(arguments: argparse.Namespace) -> None:
    """Check the data."""
    print(stylekit.data_check(arguments.target, *arguments.overrides, config_dirs=arguments.config_dirs))
