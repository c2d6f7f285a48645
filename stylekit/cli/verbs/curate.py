"""stylekit curate."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

import stylekit
from stylekit.cli.arguments import add_overrides


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument("curation", metavar="CURATION", help="a name (`stylekit list curation`)")
    add_overrides(parser)
    where = "where to write (curated/NAME); the same again goes on where it stopped"
    parser.add_argument("--out", type=Path, metavar="FOLDER", help=where)
    dry = "print how many rows each step will have, and what it will take, and run nothing"
    parser.add_argument("--dry-run", action="store_true", help=dry)


def run(arguments: argparse.Namespace) -> None:
    """Curate, and say where the data set lies."""
    made = stylekit.curate(
        arguments.curation,
        *arguments.overrides,
        out=arguments.out,
        config_dirs=arguments.config_dirs,
        dry_run=arguments.dry_run,
    )
    if arguments.dry_run:
        print(made)
        return
    data = shlex.quote(str(made))
    print(f"  written  {data}/README.md (its card), sheet.jpg, pipeline.svg and Parquet shards")
    print(f"  next     stylekit data check {data}")
    print(f"           stylekit train megastyle_encoder data=parquet_folder data.source.path={data}")
