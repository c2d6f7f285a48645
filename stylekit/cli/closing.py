"""What a verb says when it is done: what was written, how to look at it, what to do next."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylekit.run import Run

__all__ = ["closing", "how_to_use"]


def closing(run: Run, *next_commands: str) -> str:
    """Name the run's folder, the command that opens its curves, and commands to go on with."""
    from stylekit.tracking.store import shown

    uri = run.tracking_uri()
    lines = [f"  written  {shlex.quote(str(run.path))}"]
    if uri is not None:
        opened_by = f"mlflow ui --backend-store-uri {uri}" if uri.startswith("sqlite") else shown(uri)
        lines.append(f"  curves   {opened_by}")
    lines += [f"  {'next' if not index else '    '}     {line}" for index, line in enumerate(next_commands)]
    return "\n".join(lines)


def how_to_use(run: Run) -> str:
    """Return the command that puts a run's method to use."""
    from stylekit.config import compose
    from stylekit.config.target import resolve_target
    from stylekit.method import StyleRenderer

    path = shlex.quote(str(run.path))
    method = resolve_target(compose(str(run.path)).values["method"]["_target_"])
    if not issubclass(method, StyleRenderer):
        return f"stylekit embed {path} --images FOLDER --out styles.parquet"
    words = ["references=FOLDER"] if method.uses_references else []
    words += ['"prompt=..."'] if "prompt" in method.needs else []
    words += ["contents=FOLDER"] if "content" in method.needs else []
    return " ".join(["stylekit render", path, *words])
