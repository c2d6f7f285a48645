"""stylekit new method."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument("name", metavar="NAME", help="of the method, as in ink_flow")
    parser.add_argument("--folder", type=Path, help="where to write the package (default: ./NAME)")


def run(arguments: argparse.Namespace) -> None:
    """Write the package, and say how to go on."""
    from stylekit.scaffold import new_method

    folder = new_method(arguments.name, arguments.folder, config_dirs=arguments.config_dirs)
    print(f"Wrote a method that works, to be filled with your own: {folder}/methods/{arguments.name}")
    print(f"  next     pip install -e {folder}")
    print(f"           stylekit train {arguments.name}")
    print(f"           pytest {folder}")
