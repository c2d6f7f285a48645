"""stylekit check."""

from __future__ import annotations

import argparse

from stylekit.cli.arguments import add_experiment
from stylekit.preview import check


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    add_experiment(parser)


def run(arguments: argparse.Namespace) -> None:
    """Check, and say what was found right."""
    config = check(arguments.experiment, *arguments.overrides, config_dirs=arguments.config_dirs)
    chosen = ", ".join(f"{group}={name}" for group, name in config.choices.items())
    print(f"{config.name} is right: {chosen}")
