"""stylekit evaluate."""

from __future__ import annotations

import argparse
from pathlib import Path

import stylekit
from stylekit.cli.arguments import add_overrides
from stylekit.cli.closing import closing, how_to_use


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    what = "run folders, or one experiment, or one folder that `stylekit export` wrote"
    parser.add_argument("targets", nargs="+", metavar="TARGET", help=what)
    add_overrides(parser)
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="where to write the result")


def run(arguments: argparse.Namespace) -> None:
    """Evaluate; words with '=' are overrides."""
    from stylekit.run import find_run

    words = [*arguments.targets, *arguments.overrides]
    overrides = [word for word in words if "=" in word and not Path(word).is_dir()]
    targets = [word for word in words if word not in overrides]
    stylekit.evaluate(*targets, overrides=overrides, out=arguments.out, config_dirs=arguments.config_dirs)
    if (run := find_run(targets[0])) is not None:
        what_else = "stylekit list      (what else there is: methods, data, benchmarks)"
        print(closing(run, how_to_use(run), what_else))
