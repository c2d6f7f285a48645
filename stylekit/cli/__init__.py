"""The command line: one module per verb, each a thin layer over the public function of the same name."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from stylekit import __version__
from stylekit.config.mistake import suggestion
from stylekit.errors import StylekitError

__all__ = ["VERBS", "main"]

# A verb "a b" lives in verbs/a_b.py, which has `add_arguments(parser)` and `run(arguments) -> int | None`.
VERBS = {
    "list": "list what can be chosen: experiments, methods, foundations, data, benchmarks, ...",
    "show": "print the resolved config of an experiment",
    "check": "check an experiment without running it; lists every mistake",
    "train": "train the method of an experiment, or go on where it stopped",
    "render": "paint prompts in the style of pictures",
    "embed": "write the style vectors of image files",
    "evaluate": "measure trained runs, or an experiment whose method needs no training",
    "export": "write what a run learned for diffusers, ComfyUI and stylekit itself",
    "ablate": "run an experiment at several values of its settings, and compare them",
    "report": "lay runs, ablations and results on one HTML page",
    "new method": "begin a method of your own: a package that works and passes the suite",
    "curate": "make a data set of styles from pools of pictures, or go on where it stopped",
    "curate status": "say how far a curation is, and what was left out and why",
    "data check": "count usable and unusable images, styles and duplicates",
    "doctor": "say what is installed, reachable and missing on this machine",
}

_EXIT_CODES = "exit codes: 0 done, 1 failed, 2 config or usage, 3 data, 4 missing, 130 interrupted"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = argparse.Namespace(debug=False, config_dirs=[])
    try:
        verb, rest = _split_verb(words, options)
        code = _run(verb, rest, options)
        sys.stdout.flush()  # while a reader that has left can still be forgiven
        return code
    except KeyboardInterrupt:
        print("stylekit: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except StylekitError as error:
        _report(str(error), options.debug)
        return error.exit_code
    except Exception as error:  # what remains is our fault or the machine's; never a bare traceback
        advice = "" if options.debug else "\n--debug shows the traceback."
        _report(f"{type(error).__name__}: {error}{advice}", options.debug)
        return 1


def _split_verb(words: list[str], options: argparse.Namespace) -> tuple[str, list[str]]:
    parser = argparse.ArgumentParser(
        prog="stylekit",
        usage="stylekit [--config-dir FOLDER] [--debug] VERB ...",
        description="Published image-style methods as interchangeable plug-ins, chosen by config.",
        epilog=_overview(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_shared(parser)
    parser.add_argument("--version", action="version", version=f"stylekit {__version__}")
    parser.add_argument("verb", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.parse_args(words, options)
    if options.verb is None:
        parser.print_help(sys.stderr)
        raise SystemExit(2)
    verb, rest = options.verb, options.rest
    if rest and f"{verb} {rest[0]}" in VERBS:
        return f"{verb} {rest[0]}", rest[1:]
    if verb not in VERBS:
        seconds = [name for name in VERBS if name.startswith(f"{verb} ")]
        if seconds and rest[:1] in (["-h"], ["--help"]):
            print("\n".join(f"stylekit {name}: {VERBS[name]}" for name in seconds))
            raise SystemExit(0)
        wanted = f"{verb} {rest[0]}" if seconds and rest else verb
        _fail(parser, f"there is no verb {wanted!r}. {suggestion(wanted, seconds or VERBS)}")
    return verb, rest


def _run(verb: str, words: list[str], options: argparse.Namespace) -> int:
    module = importlib.import_module(f"stylekit.cli.verbs.{verb.replace(' ', '_')}")
    parser = argparse.ArgumentParser(prog=f"stylekit {verb}", description=f"{VERBS[verb].capitalize()}.")
    _add_shared(parser)
    module.add_arguments(parser)
    # Overrides and options may stand in any order, which argparse calls intermixed.
    parsed = parser.parse_intermixed_args(words)
    options.debug = parsed.debug = options.debug or parsed.debug
    parsed.config_dirs = [*options.config_dirs, *parsed.config_dirs]
    return module.run(parsed) or 0


def _add_shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config-dir",
        dest="config_dirs",
        action="append",
        type=Path,
        default=[],
        metavar="FOLDER",
        help="search this folder for configs too; may be given more than once",
    )
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _overview() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {verb:<{width}}  {what}" for verb, what in VERBS.items())
    return (
        f"verbs (stylekit VERB --help says more):\n{verbs}\n\n"
        "begin with:\n"
        "  stylekit list method\n"
        "  stylekit train megastyle_encoder stages.sscl.max_steps=200\n\n"
        f"{_EXIT_CODES}"
    )


def _report(message: str, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    print(f"stylekit: {message}", file=sys.stderr)


def _fail(parser: argparse.ArgumentParser, message: str) -> NoReturn:
    parser.exit(2, f"stylekit: {message}\n")
