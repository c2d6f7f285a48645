"""stylekit embed."""

from __future__ import annotations

import argparse
from pathlib import Path

import stylekit
from stylekit.cli.arguments import add_overrides


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    what = "a run folder, or an experiment's name: with what its `learned` names, or as it begins"
    parser.add_argument("target", metavar="RUN_OR_EXPERIMENT", help=what)
    add_overrides(parser)
    parser.add_argument(
        "--images", nargs="+", required=True, type=Path, metavar="PATH", help="files, folders"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.parquet", help="the file to write")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="images at once (64)")


def run(arguments: argparse.Namespace) -> None:
    """Embed, and say what was written."""
    written = stylekit.embed(
        arguments.target,
        *arguments.overrides,
        images=arguments.images,
        out=arguments.out,
        config_dirs=arguments.config_dirs,
        batch_size=arguments.batch_size,
    )
    print(written)
