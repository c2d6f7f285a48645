"""stylekit ablate."""

from __future__ import annotations

import argparse

import stylekit
from stylekit.cli.arguments import add_overrides


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument("ablation", metavar="ABLATION", help="a name (`stylekit list ablation`)")
    add_overrides(parser)
    parser.add_argument("--dry-run", action="store_true", help="check every point and list what would run")


def run(arguments: argparse.Namespace) -> None:
    """Run the ablation."""
    stylekit.ablate(
        arguments.ablation,
        *arguments.overrides,
        config_dirs=arguments.config_dirs,
        dry_run=arguments.dry_run,
    )
