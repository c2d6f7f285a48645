"""Whether the classes of plug-ins can be imported, found out in a process of its own and remembered.

Importing a plug-in may take seconds, fail in any way, or end the process; `stylekit list` answers at once.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from stylekit.cache import cache_folder

__all__ = ["import_errors"]

_SCRIPT = """
import importlib, json, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what a plug-in prints is none of the answers
for target in sys.argv[1:]:
    print(json.dumps([target, None]), file=answers, flush=True)
    try:
        module, _, name = target.rpartition(".")
        getattr(importlib.import_module(module), name)
        error = ""
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"
    print(json.dumps([target, error]), file=answers, flush=True)
"""
_SECONDS = 120.0


def import_errors(targets: Sequence[str]) -> dict[str, str]:
    """Return the error of each class that cannot be imported."""
    file = cache_folder() / "imports.json"
    known: dict[str, list[str]] = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(file.read_text())
    states = {target: _state(target) for target in targets}
    unknown = [target for target, state in states.items() if known.get(target, [""])[0] != state]
    if unknown:
        tried = _try(unknown)
        for target, error in tried.items():
            known[target] = [states[target], error]
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f".{file.name}.{os.getpid()}")
            # An error may go away without a change of the plug-in, as when what it needs is installed.
            sound = {target: entry for target, entry in known.items() if not entry[1]}
            temporary.write_text(json.dumps(sound))
            temporary.replace(file)
    return {target: known[target][1] for target in targets if known[target][1]}


def _try(targets: Sequence[str]) -> dict[str, str]:
    """Import one after the other; where that ends the process, go on behind it in a new one."""
    found: dict[str, str] = {}
    left = list(targets)
    while left:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = subprocess.Popen(
            [sys.executable, "-c", _SCRIPT, *left],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            text=True, env=environment,
        )  # fmt: skip
        try:
            answers, _ = process.communicate(timeout=_SECONDS)
            ended = f"ended the process ({process.returncode})"
        except subprocess.TimeoutExpired:
            process.kill()
            answers, _ = process.communicate()
            ended = f"was not imported after {_SECONDS:.0f} s"
        for line in answers.splitlines():
            target, error = json.loads(line)
            found[target] = ended if error is None else error
        if not any(target in found for target in left):
            return found | dict.fromkeys(left, f"cannot be tried: {ended}")
        left = [target for target in left if target not in found]
    return found


def _state(target: str) -> str:
    """Name the code that a class comes from, without importing it: its files, their sizes and times."""
    package, *below = target.split(".")
    parts = [sys.executable]
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    for location in (spec.submodule_search_locations or ()) if spec else ():
        place = Path(location) / below[0] if package in ("methods", "datamodules") else Path(location)
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
            if file.is_file():
                parts.append(f"{file} {file.stat().st_size} {file.stat().st_mtime_ns}")
    return "\n".join(parts)
