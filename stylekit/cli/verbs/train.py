"""stylekit train."""

from __future__ import annotations

import argparse
import importlib
import logging
import shlex

import stylekit
from stylekit.cli.arguments import add_experiment
from stylekit.cli.closing import closing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the verb takes."""
    add_experiment(parser)
    parser.add_argument(
        "--resume",
        default="auto",
        choices=["auto", "never"],
        help="go on where the run stopped (auto, the default), or begin anew in the same folder",
    )
    parser.add_argument("--new-run", action="store_true", help="begin a separate run beside an existing one")
    parser.add_argument("--dry-run", action="store_true", help="check, and say where the run would lie")
    volume = parser.add_mutually_exclusive_group()
    volume.add_argument("-v", "--verbose", action="store_true", help="say more")
    volume.add_argument("-q", "--quiet", action="store_true", help="say only what goes wrong")


def run(arguments: argparse.Namespace) -> None:
    """Train, and say where the result lies."""
    from stylekit.run import is_main_process

    level = logging.DEBUG if arguments.verbose else logging.WARNING if arguments.quiet else logging.INFO
    logging.basicConfig(format="%(message)s")
    logging.getLogger("stylekit").setLevel(level)
    for library in ("pytorch", "fabric"):
        # Lightning says what hardware it did not find. It sets its levels when imported, so that comes first.
        importlib.import_module(f"lightning.{library}")
        logging.getLogger(f"lightning.{library}").setLevel(
            logging.INFO if arguments.verbose else logging.WARNING
        )
    overrides = list(arguments.overrides)
    if arguments.quiet:
        overrides.append("trainer.enable_progress_bar=false")
    result = stylekit.train(
        arguments.experiment,
        *overrides,
        config_dirs=arguments.config_dirs,
        resume=arguments.resume,
        new_run=arguments.new_run,
        dry_run=arguments.dry_run,
    )
    if arguments.dry_run:
        print(result.path)
    elif is_main_process():
        state = result.read()
        assert state is not None
        print(f"{state.method} is trained: {state.seconds:.0f} s, seed {state.seed}")
        print(closing(result, f"stylekit evaluate {shlex.quote(str(result.path))}"))
