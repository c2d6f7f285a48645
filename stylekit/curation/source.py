"""The contract of a source of pictures, and folders of image files."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias, final

from stylekit.curation.estimate import Rate
from stylekit.errors import DataError
from stylekit.image_files import find_images
from stylekit.pixels import Rejection

__all__ = ["Found", "ImageFolder", "ImageSource", "Place", "PoolName", "existing", "stamp"]

PoolName: TypeAlias = Literal["style", "content"]


class Place(NamedTuple):
    """Where some pictures of a source lie: what is read, and begun again, at once."""

    name: str
    where: str
    """What `read` is given."""
    stamp: str
    """Changes when the pictures do."""
    images: int | None
    """How many; None where counting them takes as long as reading them."""
    pool: PoolName | None = None
    """Where all of them go, if that is known."""


class Found(NamedTuple):
    """A picture as it lies in a source."""

    name: str
    """Distinguishes it from all others of the source."""
    image: bytes
    """Its file."""
    caption: str | None = None
    pool: PoolName | None = None
    """Where the source knows it."""
    truth: str | None = None
    """The prompt that it was drawn from, where it was drawn by the atelier."""


class ImageSource(ABC):
    """Pictures with captions, of one licence.

    Attributes:
        name: Begins the ids of its rows.
        licence: For the data card.
        pool: Where all its pictures go; None lets their captions decide.
    """

    name: str
    licence: str
    pool: PoolName | None
    rate = Rate(per_second=100.0)
    """Of reading and checking pictures, roughly."""

    @abstractmethod
    def places(self) -> Iterator[Place]:
        """List what there is to read, always in the same order, without reading it."""

    @abstractmethod
    def read(self, where: str) -> Iterator[Found | Rejection]:
        """Read a place; what cannot be read is named, and the rest is read nevertheless."""


@final
class ImageFolder(ImageSource):
    """Image files in a folder and below; `a.txt` beside `a.jpg` is its caption.

    Args:
        path: The folder.
        pool: "style" or "content"; None lets the captions decide.
        licence: Of the pictures, for the data card.
        name: Begins the ids of its rows; the folder's name by default.
    """

    def __init__(
        self, path: str, pool: PoolName | None = None, licence: str = "unknown", name: str | None = None
    ) -> None:
        self.path = Path(path).expanduser()
        self.pool, self.licence, self.name = pool, licence, name or self.path.name

    def places(self) -> Iterator[Place]:
        found = find_images(existing(self.path))
        if isinstance(found, Rejection):
            raise DataError(f"{found.where}: {found.reason}.")
        for file in found:
            name = file.relative_to(self.path).as_posix()
            yield Place(name, name, f"{stamp(file)} {stamp(file.with_suffix('.txt'))}", 1, self.pool)

    def read(self, where: str) -> Iterator[Found | Rejection]:
        file = self.path / where
        caption = file.with_suffix(".txt")
        try:
            text = (
                caption.read_text(encoding="utf-8", errors="replace").strip() if caption.is_file() else None
            )
            yield Found(where, file.read_bytes(), text or None)
        except OSError as error:
            yield Rejection(where, f"unreadable file ({error.strerror})")


def existing(path: Path) -> Path:
    """Return a path, or say that there is nothing."""
    if not path.exists():
        raise DataError(f"There is no {path} to take pictures from.")
    return path


def stamp(file: Path) -> str:
    """Return what changes when a file does; empty if there is none."""
    try:
        state = file.stat()
    except OSError:
        return ""
    return json.dumps([state.st_size, state.st_mtime_ns])
