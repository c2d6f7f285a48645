"""Train and evaluate one point with one seed: what a launcher runs.

python -m stylekit.ablation.task CONFIG.yaml --done DONE.json [--parent MLFLOW_RUN] [--config-dir FOLDER]
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from stylekit.config import compose, digest
from stylekit.errors import StylekitError
from stylekit.evaluation import evaluate
from stylekit.run import write_atomically
from stylekit.training import train

__all__ = ["Done", "main", "read_done"]


class Done(BaseModel):
    """What a task leaves behind when it is done."""

    model_config = ConfigDict(extra="forbid")

    config_digest: str
    run: str | None
    """Folder of the run; None for a method that needs no training."""
    result: str


def read_done(path: Path, config_digest: str) -> Done | None:
    """Read what a task left, if it was of this very config and its result is still there."""
    try:
        done = Done.model_validate_json(path.read_text())
    except (OSError, ValidationError):
        return None
    return done if done.config_digest == config_digest and Path(done.result).is_file() else None


def main(words: Sequence[str] | None = None) -> int:
    """Train if the method has stages, evaluate, and note where the result lies."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("config", type=Path)
    parser.add_argument("--done", type=Path, required=True)
    parser.add_argument("--parent")
    parser.add_argument("--config-dir", dest="config_dirs", type=Path, action="append", default=[])
    arguments = parser.parse_args(words)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("stylekit").setLevel(logging.INFO)
    try:
        _execute(arguments.config, arguments.done, arguments.parent, arguments.config_dirs)
    except StylekitError as error:
        print(f"stylekit: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    return 0


def _execute(config_file: Path, done_file: Path, parent: str | None, config_dirs: Sequence[Path]) -> None:
    config = compose(str(config_file), config_dirs=config_dirs)
    if config.values["stages"]:
        run = train(str(config_file), config_dirs=config_dirs, parent_run_id=parent)
        measured = evaluate(run.path, config_dirs=config_dirs)
        folder, result = str(run.path), run.path / "eval" / f"{measured.benchmark}.json"
    else:
        folder, result = None, done_file.with_suffix(".result.json")
        evaluate(str(config_file), out=result, config_dirs=config_dirs)
    done = Done(config_digest=digest(config), run=folder, result=str(result))
    write_atomically(done_file, done.model_dump_json(indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
