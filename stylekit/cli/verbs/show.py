"""stylekit show."""

from __future__ import annotations

import argparse

from stylekit.cli.arguments import add_experiment
from stylekit.preview import show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    add_experiment(parser)
    parser.add_argument("--origins", action="store_true", help="say behind each value where it comes from")


def run(arguments: argparse.Namespace) -> None:
    """Print the config."""
    text = show(
        arguments.experiment,
        *arguments.overrides,
        config_dirs=arguments.config_dirs,
        origins=arguments.origins,
    )
    print(text, end="")
