"""stylekit export."""

from __future__ import annotations

import argparse
from pathlib import Path

import stylekit


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument("run", type=Path, metavar="RUN", help="a finished run's folder")
    parser.add_argument("--out", required=True, type=Path, metavar="FOLDER", help="the folder to write to")
    stored = "of the weights (default: float32, as they were learned)"
    parser.add_argument("--dtype", choices=("float32", "bfloat16", "float16"), default="float32", help=stored)
    verify = "load both files again, and compare weights and an image with the run's"
    parser.add_argument("--verify", action="store_true", help=verify)


def run(arguments: argparse.Namespace) -> None:
    """Export, and say what was written and checked."""
    made = stylekit.export(arguments.run, out=arguments.out, dtype=arguments.dtype, verify=arguments.verify)
    for file in made.files:
        print(f"  written  {file}  {file.stat().st_size / 1e6:.1f} MB")
    if made.checks:
        words = ("keys", "layers", "weights", "image", "effect")
        print(f"\n{'loaded again':<36}{'by':<12}{''.join(f'{word:>10}' for word in words)}")
    for check in made.checks:
        print(
            f"{check.file.name:<36}{check.reader:<12}{check.keys:>10}{check.layers:>10}"
            f"{check.difference:>10.1e}{check.image_difference:>10.1e}{check.effect:>10.1e}  PASS"
        )
