"""stylekit doctor."""

from __future__ import annotations

import argparse
import dataclasses
import json

import stylekit

DTYPES = ("float32", "bfloat16", "float16")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument("--tracking-uri", metavar="URI", help="the store to look at (default: the configs')")
    parser.add_argument(
        "--foundation", metavar="NAME", help="say what this one needs, and whether it fits here"
    )
    parser.add_argument("--size", type=int, help="pixels (default: what it was made for, at most 512)")
    parser.add_argument("--batch", type=int, default=1, help="images or videos at once (default: 1)")
    parser.add_argument("--frames", type=int, help="frames of a video (default: what it was made for)")
    parser.add_argument("--dtype", choices=DTYPES, help="of its weights (default: the config's)")
    parser.add_argument("--rank", type=int, default=128, help="of the LoRA that is trained (default: 128)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; the exit code is 1 if one of them is a fault."""
    report = stylekit.doctor(
        tracking_uri=arguments.tracking_uri,
        config_dirs=arguments.config_dirs,
        foundation=arguments.foundation,
        size=arguments.size,
        batch=arguments.batch,
        frames=arguments.frames,
        dtype=arguments.dtype,
        rank=arguments.rank,
    )
    if arguments.json:
        print(json.dumps([dataclasses.asdict(finding) for finding in report.findings], indent=2))
    else:
        print(report)
    return 0 if report.is_healthy else 1
