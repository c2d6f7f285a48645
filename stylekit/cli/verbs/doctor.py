"""stylekit doctor."""

from __future__ import annotations

import argparse
import dataclasses
import json

from stylekit.diagnosis import doctor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    parser.add_argument("--tracking-uri", metavar="URI", help="the store to look at (default: the configs')")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> int:
    """Print the findings; the exit code is 1 if one of them is a fault."""
    report = doctor(tracking_uri=arguments.tracking_uri, config_dirs=arguments.config_dirs)
    if arguments.json:
        print(json.dumps([dataclasses.asdict(finding) for finding in report.findings], indent=2))
    else:
        print(report)
    return 0 if report.is_healthy else 1
