"""stylekit report."""

from __future__ import annotations

import argparse
from pathlib import Path

import stylekit
from stylekit.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    what = "run folders, folders of runs, ablation folders (runs/ablations/NAME), result files"
    parser.add_argument("targets", nargs="+", type=Path, metavar="TARGET", help=what)
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="where to write it (default: report.html, sheet.jpg)"
    )
    sheet = "instead of a page a JPEG of what one result rendered on a board (content, styled, held_out)"
    parser.add_argument("--sheet", metavar="BOARD", help=sheet)
    parser.add_argument("--title", help="of the page")


def run(arguments: argparse.Namespace) -> None:
    """Write the page, or the sheet."""
    if arguments.sheet:
        from stylekit.reporting import write_sheet  # seconds, which --help does not need

        if len(arguments.targets) > 1:
            raise ConfigError("A sheet is of one result; name one.")
        write_sheet(arguments.targets[0], arguments.sheet, arguments.out)
        return
    stylekit.report(*arguments.targets, out=arguments.out, title=arguments.title)
