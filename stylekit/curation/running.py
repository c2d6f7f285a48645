"""Run the steps of a curation, each from where it was left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pyarrow as pa
from filelock import FileLock, Timeout
from tqdm import tqdm

from stylekit.curation.clearing import check_ours, clear
from stylekit.curation.counting import count_rows, count_shard, say_counts
from stylekit.curation.curation import Curation
from stylekit.curation.digest import settings_of, step_digest
from stylekit.curation.engine import ShardWork
from stylekit.curation.shards import Shards, full_disk_explained
from stylekit.curation.state import StepState, difference, read_state, write_state
from stylekit.curation.step import Counts, Inputs, RowStep, Step, WholeStep
from stylekit.errors import ConfigError, DataError
from stylekit.run import write_atomically

__all__ = ["Runner", "shards_of"]

DATA = "data"
"""The folder of the data set, inside that of the curation."""


class Runner:
    """One curation in its folder.

    Args:
        plan: The steps.
        values: The config that they were built from.
        out: The folder.
    """

    def __init__(self, plan: Curation, values: dict[str, Any], out: Path) -> None:
        self.plan, self.out = plan, out
        self._settings = {name: settings_of(node) for name, node in Curation.settings(values)}

    def run(self, config: str) -> None:
        """Do what is not done; the text of the config is kept beside it."""
        self.out.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self.out / ".lock", timeout=0), full_disk_explained(self.out):
                for name in self.plan.steps:
                    check_ours(shards_of(self.out, name))
                write_atomically(self.out / "curation.yaml", config)
                self._run()
        except Timeout as error:
            raise ConfigError(f"Another process is curating into {self.out}; wait for it.") from error

    def states(self) -> Iterator[tuple[str, Step, StepState, bool]]:
        """Yield for each step what its state is to be, and whether that is what it is."""
        before, is_whole = "", True
        for name, step in self.plan.steps.items():
            settings = self._settings.get(name, {})
            state = StepState(step_digest(settings, before, step.inputs()), settings, before)
            kept = read_state(self.out / name)
            # what stands behind a step that is not done was made of other rows, though by the same settings
            is_same = is_whole and kept is not None and kept.digest == state.digest
            is_whole = is_same and kept is not None and kept.is_done
            yield name, step, kept if is_same and kept else state, is_same
            before = state.digest

    def _run(self) -> None:
        done: dict[str, Shards] = {}
        rows: Counts = {}
        states = list(self.states())
        for _, step, state, _ in states:
            if not state.is_done:
                step.check()  # before hours of other steps
        for name, step, state, is_same in states:
            shards = shards_of(self.out, name)
            if not is_same:
                self._begin(name, shards, state)
            if not state.is_done:
                if isinstance(step, RowStep):
                    self._map(name, step, Inputs(done, shards), state)
                else:
                    assert isinstance(step, WholeStep)
                    self._do(name, step, Inputs(done, shards), rows, state)
                _sweep(shards)
                self._check_rows(name, shards, state)
                state.is_done = True
                write_state(shards.folder, state)
            done[name] = shards
            rows, rejected = count_rows(shards), len(shards.read_rejects())
            print(f"  {name:<12} {say_counts(rows)}" + (f", {rejected:,} rejected" if rejected else ""))

    def _check_rows(self, name: str, shards: Shards, state: StepState) -> None:
        """Stop where the steps after this one would have no rows, or not those that it can still get."""
        if not any(shards.count(index) for index in range(len(shards))):
            raise DataError(
                f"Nothing is left after the step {name!r}. Its rejects in {shards.folder} say why "
                f"(stylekit curate status {self.out})."
            )
        in_vain = sum(shards.asked_in_vain(index) for index in range(len(shards)))
        # as many as before: it is these rows, and the step ends without them
        if in_vain and (state.asked_in_vain is None or in_vain < state.asked_in_vain):
            state.asked_in_vain = in_vain
            write_state(shards.folder, state)
            raise DataError(
                f"The step {name!r} got no answer about {in_vain:,} rows (stylekit curate status {self.out} "
                "says why). Run the same command again: it asks about them once more, and goes on without "
                "those that fail again."
            )

    def _begin(self, name: str, shards: Shards, state: StepState) -> None:
        if (old := read_state(shards.folder)) is not None:
            why = difference(old, state.settings, state.before)
            print(f"  {name:<12} is done again: {why}")
        clear(shards)
        write_state(shards.folder, state)

    def _map(self, name: str, step: RowStep, inputs: Inputs, state: StepState) -> None:
        source, into = inputs.steps[step.source] if step.source else inputs.last, inputs.into
        beside = inputs.steps.get(step.beside) if step.beside else None
        state.num_shards = len(source)
        write_state(into.folder, state)
        # one that left nothing is tried whole: what was wrong with it may be no setting of it
        is_empty = not any(into.count(index) for index in range(len(source)))
        # of a tar it is not known how many pictures it holds: one row for all of them
        sizes = [sum(count_shard(source, index).values()) for index in range(len(source))]
        for index in range(len(source)):
            if is_empty or into.asked_in_vain(index):
                into.part(index).unlink(missing_ok=True)
        waiting = [index for index in range(len(source)) if not into.is_done(index)]
        began, rejected = time.monotonic(), 0
        with _bar(name, sum(sizes), sum(sizes) - sum(sizes[index] for index in waiting)) as bar:
            for report in self.plan.engine.map(ShardWork(step, source, into, beside), waiting):
                rejected += report.rejected
                if rejected:
                    bar.set_postfix_str(f"{rejected:,} rejected", refresh=False)
                bar.update(sizes[report.shard])
        if len(waiting) == len(source):
            state.rows_per_second = sum(sizes) / (time.monotonic() - began)
        step.finish(inputs)

    def _do(self, name: str, step: WholeStep, inputs: Inputs, before: Counts, state: StepState) -> None:
        began, rows, shards = time.monotonic(), 0, 0
        with _bar(name, step.passes(before), 0) as bar:
            for kept, rejects in step(replace(inputs, advance=bar.update)):
                inputs.into.write(shards, kept, pa.concat_tables([rejects, inputs.lost()]))
                shards += 1
                rows += len(kept) + len(rejects)
                bar.update(len(kept) + len(rejects))
        state.num_shards = shards
        state.rows_per_second = rows / (time.monotonic() - began)


def shards_of(out: Path, name: str) -> Shards:
    """Return where a step of a curation writes."""
    return Shards(out / name, out / (DATA if name == "write" else name))


def _sweep(shards: Shards) -> None:
    """Remove what processes that were killed had begun to write."""
    for folder in (shards.folder, shards.parts):
        for file in folder.glob(".*.parquet.*"):
            file.unlink(missing_ok=True)


def _bar(name: str, total: int, done: int) -> tqdm[NoReturn]:
    return tqdm(
        total=total,
        initial=done,
        desc=f"  {name}",
        unit="row",
        dynamic_ncols=True,
        leave=False,
        mininterval=0.5 if sys.stderr.isatty() else 15.0,
    )
