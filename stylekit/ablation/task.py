"""Train and evaluate one point with one seed: what a launcher runs.

python -m stylekit.ablation.task CONFIG.yaml --done DONE.json [--parent MLFLOW_RUN] [--config-dir FOLDER]
"""

from __future__ import annotations

import argparse
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from stylekit.ablation.done import Done
from stylekit.config import compose, digest
from stylekit.errors import StylekitError
from stylekit.evaluation import evaluate
from stylekit.run import Run, is_main_process, write_atomically
from stylekit.training import train

__all__ = ["main"]


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
    copy = done_file.with_suffix("").with_suffix(".result.json")
    folder = None
    if config.values["stages"]:
        run = train(str(config_file), config_dirs=config_dirs, parent_run_id=parent)
        if not is_main_process():  # Lightning runs this once for each further device
            return
        _adopt(run, parent)
        folder = str(run.path)
        measured = evaluate(run.path, config_dirs=config_dirs)
        # The run's own may be measured again with other settings; the table is to stay what it was.
        result = run.path / "eval" / f"{measured.benchmark}.json"
        for suffix in (".npz", ".json"):
            shutil.copy(result.with_suffix(suffix), copy.with_suffix(suffix))
    else:
        evaluate(str(config_file), out=copy, config_dirs=config_dirs, parent_run_id=parent)
    done = Done(config_digest=digest(config), run=folder, result=str(copy))
    write_atomically(done_file, done.model_dump_json(indent=2) + "\n")


def _adopt(run: Run, parent: str | None) -> None:
    """Nest a run that was there before under the ablation, if it belongs to no other."""
    state = run.read()
    if parent is not None and state is not None and state.parent_run_id is None:
        state.parent_run_id = parent
        run.write(state)


if __name__ == "__main__":
    sys.exit(main())
