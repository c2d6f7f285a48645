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
import importlib, json, sys
for target in sys.argv[1:]:
    print(json.dumps([target, None]), flush=True)
    try:
        module, _, name = target.rpartition(".")
        getattr(importlib.import_module(module), name)
        error = ""
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"
    print(json.dumps([target, error]), flush=True)
"""


def import_errors(targets: Sequence[str]) -> dict[str, str]:
    """Return the error of each class that cannot be imported."""
    file = cache_folder() / "imports.json"
    known: dict[str, list[str]] = {}
    with contextlib.suppress(OSError, ValueError):
        known = json.loads(file.read_text())
    states = {target: _state(target) for target in targets}
    unknown = [target for target, state in states.items() if known.get(target, [""])[0] != state]
    if unknown:
        for target, error in _try(unknown).items():
            known[target] = [states[target], error]
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f".{file.name}.{os.getpid()}")
            temporary.write_text(json.dumps(known))
            temporary.replace(file)
    return {target: known[target][1] for target in targets if known[target][1]}


def _try(targets: Sequence[str]) -> dict[str, str]:
    """Import one after the other; where that ends the process, go on behind it in a new one."""
    found: dict[str, str] = {}
    left = list(targets)
    while left:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        ran = subprocess.run(
            [sys.executable, "-c", _SCRIPT, *left],
            capture_output=True, text=True, env=environment, check=False,
        )  # fmt: skip
        for line in ran.stdout.splitlines():
            with contextlib.suppress(ValueError, TypeError):  # what the plug-in prints itself
                target, error = json.loads(line)
                if target in left:
                    found[target] = f"ended the process ({ran.returncode})" if error is None else error
        done = [target for target in left if target in found]
        if not done:
            return found | {target: f"cannot be tried: {ran.stderr.strip()[-200:]}" for target in left}
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
