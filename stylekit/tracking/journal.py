"""A file of JSON lines that survives a kill and is read while it is written."""

from __future__ import annotations

import json
import math
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from io import FileIO
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["Journal", "Line", "as_json"]

Record = dict[str, Any]


class Line(NamedTuple):
    """One record and where the next one starts."""

    record: Record
    end: int


class Journal:
    """Append records, one JSON object a line; each is on its way to disk when `append` returns."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None
        self._lock = threading.Lock()

    def append(self, record: Mapping[str, Any]) -> None:
        """Write one record with a single unbuffered write, so that a kill can tear only the last line."""
        line = json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        with self._lock:
            if self._file is None:
                self._file = self._open()
            self._file.write(line)

    def read(self, start: int = 0, max_bytes: int = 1 << 18) -> list[Line]:
        """Read whole lines from the byte `start` on: at least one if there is one, never a torn last one."""
        with self._lock:
            if not self.path.is_file():
                return []
            with self.path.open("rb") as file:
                file.seek(start)
                block = file.read(max_bytes)
                while block and b"\n" not in block and (more := file.read(max_bytes)):
                    block += more
        return list(_lines(block, start))

    def __iter__(self) -> Iterator[Record]:
        position = 0
        while lines := self.read(position):
            yield from (line.record for line in lines if line.record)
            position = lines[-1].end

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.path.stat().st_size if self.path.is_file() else 0

    def keep(self, wanted: Callable[[Record], bool], sent: int = 0) -> tuple[int, list[Record]]:
        """Drop unwanted records; returns the new place of `sent` and what was dropped before it."""
        dropped, position, new_sent = [], 0, 0
        temporary = self.path.with_suffix(".tmp")
        with self._lock:
            self._close()
            with self.path.open("rb") as old, temporary.open("wb") as new:
                for raw in old:
                    position += len(raw)
                    record = _parse(raw)
                    if raw.endswith(b"\n") and record and wanted(record):
                        new.write(raw)
                        new_sent += len(raw) if position <= sent else 0
                    elif record and position <= sent:
                        dropped.append(record)
            temporary.replace(self.path)
        return new_sent, dropped

    def close(self) -> None:
        """Close the file; a later `append` opens it again."""
        with self._lock:
            self._close()

    def _open(self) -> FileIO:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_file():
            _cut_torn_line(self.path)
        file = FileIO(self.path, "ab")
        weakref.finalize(self, file.close)
        return file

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]


def as_json(value: float) -> float | str:
    """Write NaN and the infinities as words that `float` reads back: JSON has no numbers for them."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _lines(block: bytes, start: int) -> Iterator[Line]:
    end = start
    for raw in block.split(b"\n")[:-1]:
        end += len(raw) + 1
        yield Line(_parse(raw), end)


def _parse(raw: bytes) -> Record:
    # A damaged line counts as an empty record, so that a reader moves past it.
    try:
        record = json.loads(raw)
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}


def _cut_torn_line(path: Path) -> None:
    with path.open("rb+") as file:
        size = file.seek(0, 2)
        tail = b""
        position = size
        while position and b"\n" not in tail:
            step = min(4096, position)
            position -= step
            file.seek(position)
            tail = file.read(step) + tail
        file.truncate(position + tail.rfind(b"\n") + 1)
