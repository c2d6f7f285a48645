"""A cache of small decoded images: one memory-mapped array under a name that says what is in it."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from filelock import FileLock
from numpy.lib import format as npy
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from stylekit.pixels import Pixels

__all__ = ["ImagePool", "PoolWriter", "open_pool"]

log = logging.getLogger(__name__)


class ImagePool:
    """Square images of one size, read from disk as they are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.notes: dict[str, Any] = json.loads((folder / "notes.json").read_text())
        self._images: NDArray[np.uint8] | None = None
        if len(self.images) != self.notes["count"]:
            raise ValueError(f"{folder} holds {len(self.images)} images, not {self.notes['count']}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def images(self) -> NDArray[np.uint8]:
        """(n, s, s, 3) RGB."""
        if self._images is None:
            self._images = np.load(self.folder / "images.npy", mmap_mode="r")
        return self._images

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_images": None}  # a memory map would be pickled with its contents


class PoolWriter:
    """Writes a pool image by image, not knowing how many will come."""

    _HEADER = 128  # what numpy pads the header of any such array to

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size, self.count = folder, size, 0
        self._file: BinaryIO = (folder / "images.npy").open("wb")
        self._write_header()

    def append(self, pixels: Pixels) -> None:
        """Add one image."""
        assert pixels.shape == (self._size, self._size, 3)
        self._file.write(np.ascontiguousarray(pixels).tobytes())
        self.count += 1

    def finish(self, notes: dict[str, Any]) -> None:
        """Complete the files; `notes` are kept beside the images."""
        self._write_header()
        self._file.flush()
        os.fsync(self._file.fileno())
        self.close()
        (self._folder / "notes.json").write_text(json.dumps(notes | {"count": self.count}))

    def close(self) -> None:
        """Close the file; of an unfinished pool, nothing else is worth doing."""
        self._file.close()

    def _write_header(self) -> None:
        self._file.seek(0)
        shape = (self.count, self._size, self._size, 3)
        npy.write_array_header_1_0(self._file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        assert self._file.tell() == self._HEADER


def open_pool(
    cache_dir: Path,
    key: str,
    size: int,
    images: Iterator[Pixels],
    notes: dict[str, Any],
    total: int | None,
    task: str,
) -> ImagePool:
    """Return the pool of that key; if there is no whole one, make it from `images`, and `notes` as they end.

    It is made under another name and renamed, so that what has the name is whole. Other processes wait.
    """
    folder = cache_dir / "images" / key
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        try:
            return ImagePool(folder)
        except FileNotFoundError:
            pass
        except (ValueError, KeyError, OSError, EOFError) as error:
            log.warning("The image cache %s is broken (%s) and is made again.", folder, error)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished = folder.with_name(f"{key}.{uuid.uuid4().hex[:8]}.tmp")
        unfinished.mkdir()
        try:
            with closing(PoolWriter(unfinished, size)) as writer:
                for pixels in _with_bar(images, total, task):
                    writer.append(pixels)
                writer.finish(notes)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return ImagePool(folder)


def _with_bar(images: Iterator[Pixels], total: int | None, task: str) -> Iterator[Pixels]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=sys.stderr), transient=False) as bars:
        bar = bars.add_task(task, total=total)
        for pixels in images:
            yield pixels
            bars.advance(bar)
