"""Parquet shards of a step: written whole, with the same bytes for the same rows, read without trust."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stylekit.curation.failure import PASSING, REJECTS, Failure, rejects_table
from stylekit.curation.state import read_state
from stylekit.errors import DataError
from stylekit.pixels import Rejection
from stylekit.run import replacing

__all__ = ["Shards", "full_disk_explained", "read_shard", "write_shard"]

_ROWS_PER_GROUP = 128
_UNREADABLE = (pa.ArrowException, OSError, MemoryError)  # a file that lies about its size asks for any memory


@dataclass(frozen=True)
class Shards:
    """The shards of one step, numbered from 0; shard i of a row step comes from shard i of the step before.

    folder/part-00000.parquet     kept rows
    folder/rejects-00000.parquet  the others, each with its reason
    """

    folder: Path
    parts: Path
    """Where the kept rows lie: the same folder, but for the data that the last step hands over."""
    lost: dict[str, Failure] = field(default_factory=dict, compare=False)
    """Shards that `tables` could not read, by name."""

    def part(self, index: int) -> Path:
        """Where the kept rows of a shard lie."""
        return self.parts / f"part-{index:05d}.parquet"

    def rejects(self, index: int) -> Path:
        """Where the rejected rows of a shard lie."""
        return self.folder / f"rejects-{index:05d}.parquet"

    def __len__(self) -> int:
        state = read_state(self.folder)
        if state is not None and state.num_shards is not None:
            return state.num_shards
        numbers = [int(file.stem.removeprefix("part-")) for file in self.parts.glob("part-*.parquet")]
        return max(numbers, default=-1) + 1

    def num_done(self) -> int:
        """Count the shards that are written, in whatever order."""
        return len(list(self.parts.glob("part-*.parquet")))

    def is_done(self, index: int) -> bool:
        """Say whether a shard is written; its rejects are written before its kept rows."""
        return self.part(index).is_file()

    def write(self, index: int, kept: pa.Table, rejects: pa.Table) -> None:
        """Write a shard."""
        write_shard(rejects.select(REJECTS.names).cast(REJECTS), self.rejects(index))
        write_shard(kept, self.part(index))

    def asked_in_vain(self, index: int) -> int:
        """Count the rows of a shard that were rejected for trouble that passes."""
        rejects = read_shard(self.rejects(index), ["reason"])
        if isinstance(rejects, Rejection) or not len(rejects):
            return 0
        return sum(reason in PASSING for reason in rejects["reason"].to_pylist())

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """Yield the kept rows shard by shard; of a damaged shard no rows, and its name goes to `lost`."""
        for index in range(len(self)):
            table = read_shard(self.part(index), columns)
            if isinstance(table, Rejection):
                name, failure = self.loss(table)
                self.lost[name] = failure
                table = pa.table({})
            yield table

    def loss(self, damaged: Rejection) -> tuple[str, Failure]:
        """Say what is rejected with a shard that cannot be read."""
        return f"{self.folder.name}/{damaged.where}", Failure(damaged.reason, "its rows are left out")

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return columns of all kept rows."""
        tables = [table for table in self.tables(columns) if len(table)]
        return pa.concat_tables(tables) if tables else pa.table({name: pa.array([]) for name in columns})

    def read_rejects(self) -> pa.Table:
        """Return all rejected rows."""
        found = [rejects_table([])]
        for file in sorted(self.folder.glob("rejects-*.parquet")):
            table = read_shard(file, REJECTS.names)
            if isinstance(table, Rejection):
                name, failure = self.loss(table)
                table = rejects_table([(name, failure._replace(detail="why its rows went is lost"))])
            found += [table] if len(table) else []
        return pa.concat_tables(found)

    def count(self, index: int) -> int:
        """Count the kept rows of a shard; 0 where it is damaged."""
        try:
            return int(pq.read_metadata(self.part(index)).num_rows)
        except _UNREADABLE:
            return 0


def read_shard(path: Path, columns: Sequence[str] | None = None) -> pa.Table | Rejection:
    """Read a shard, or say why it cannot be read; one without rows may have any columns, or none."""
    try:
        with pq.ParquetFile(path) as file:
            if not file.metadata.num_rows:
                return pa.table({})
            if columns is not None and (missing := set(columns) - set(file.schema_arrow.names)):
                return Rejection(path.name, f"shard without a column {sorted(missing)[0]}")
            return file.read(None if columns is None else list(columns))
    except FileNotFoundError:
        return Rejection(path.name, "missing shard")
    except _UNREADABLE:
        return Rejection(path.name, "truncated or damaged shard")


def write_shard(table: pa.Table, path: Path) -> None:
    """Write a table whole; the same rows give the same bytes."""
    with full_disk_explained(path.parent), replacing(path) as temporary:
        pq.write_table(table.combine_chunks(), temporary, compression="zstd", row_group_size=_ROWS_PER_GROUP)


@contextmanager
def full_disk_explained(folder: Path) -> Iterator[None]:
    """Say what to do where the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DataError(
            f"The disk of {folder} is full. What is finished is kept: free some space and run the same "
            "command again."
        ) from error
