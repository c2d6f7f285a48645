"""Arguments that several verbs share."""

from __future__ import annotations

import argparse

__all__ = ["add_experiment", "add_overrides"]


def add_experiment(parser: argparse.ArgumentParser) -> None:
    """Take an experiment and its overrides."""
    what = "a name (`stylekit list experiment`), a YAML file or a run's folder"
    parser.add_argument("experiment", metavar="EXPERIMENT", help=what)
    add_overrides(parser)


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Take overrides."""
    what = "group=name chooses a file (data=style30k), a.b.c=value sets a value (trainer.devices=8)"
    parser.add_argument("overrides", nargs="*", default=[], metavar="OVERRIDE", help=what)
