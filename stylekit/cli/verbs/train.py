"""stylekit train."""

from __future__ import annotations

import argparse
import logging

import stylekit
from stylekit.cli.arguments import add_experiment


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    add_experiment(parser)
    parser.add_argument(
        "--resume",
        default="auto",
        metavar="auto|never|CHECKPOINT",
        help="go on where the run stopped (auto, the default), begin anew, or begin from a checkpoint",
    )
    parser.add_argument("--new-run", action="store_true", help="begin a separate run beside an existing one")
    parser.add_argument("--dry-run", action="store_true", help="check, and say where the run would lie")
    volume = parser.add_mutually_exclusive_group()
    volume.add_argument("-v", "--verbose", action="store_true", help="say more")
    volume.add_argument("-q", "--quiet", action="store_true", help="say only what goes wrong")


def run(arguments: argparse.Namespace) -> None:
    """Train, and say where the result lies."""
    level = logging.DEBUG if arguments.verbose else logging.WARNING if arguments.quiet else logging.INFO
    logging.basicConfig(format="%(message)s")
    logging.getLogger("stylekit").setLevel(level)
    overrides = list(arguments.overrides)
    if arguments.quiet:
        overrides.append("trainer.enable_progress_bar=false")
    result = stylekit.train(
        arguments.experiment,
        *overrides,
        config_dirs=arguments.config_dirs,
        resume=arguments.resume,
        new_run=arguments.new_run,
        dry_run=arguments.dry_run,
    )
    print(result.path)
