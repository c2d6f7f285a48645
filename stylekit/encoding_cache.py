"""A cache of what frozen encoders give: latents of images, embeddings of prompts, once for all trainings.

An entry is a folder of memory-mapped arrays under the hash of its key. It is made under another name and
renamed, so that what has the name is whole; other processes wait. Killed in the middle, it is made anew.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from filelock import FileLock
from jaxtyping import Float
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor, nn
from tqdm import tqdm

from stylekit.errors import DataError
from stylekit.weights_digest import weights_digest

__all__ = [
    "EncodingDtype",
    "EncodingKey",
    "LatentEncoder",
    "PromptEncoder",
    "PromptEncodings",
    "StoredEncodings",
    "encode_prompts",
    "encoder_identity",
    "open_encodings",
]

log = logging.getLogger(__name__)

EncodingDtype = Literal["float16", "bfloat16", "float32"]

_DTYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16, "float32": torch.float32}
_STORED_AS = {"float16": "<f2", "bfloat16": "<u2", "float32": "<f4"}  # numpy has no bfloat16: its bits
_PROMPTS_AT_ONCE = 64
_WHOLE = 2**30  # up to so many bytes, an array is summed whole when it is opened; beyond, its header


@runtime_checkable  # so that a config can be checked
class LatentEncoder(Protocol):
    """An encoder of images, such as the Vae of the foundations; a module of torch."""

    def encode(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n c u v"]:
        """Return the latents of images in [0, 1]."""


@runtime_checkable
class PromptEncoder(Protocol):
    """What reads prompts, such as the FluxPrompts of the foundations; a module of torch."""

    @property
    def reads_with(self) -> str:
        """A digest of how prompts become tokens, which no weights tell."""

    def condition(self, prompts: Sequence[str]) -> Mapping[str, Tensor]:
        """Return arrays by name, a row for each prompt, all rows of one shape."""


@dataclass(frozen=True)
class EncodingKey:
    """All that decides what encodings are."""

    content: str
    """Hash of what is encoded, in its order."""
    transform: str
    """What is done to it before it is encoded."""
    encoder: str
    """Identity of the encoder."""
    dtype: EncodingDtype
    """How the encodings are stored."""

    @property
    def name(self) -> str:
        """The name of the entry."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:24]


class StoredEncodings:
    """One array of an entry, read from disk as it is asked for."""

    def __init__(self, path: Path, note: Mapping[str, Any]) -> None:
        self._path, self._dtype = path, _DTYPES[note["dtype"]]
        self.shape: tuple[int, ...] = tuple(note["shape"])
        self._array: NDArray[Any] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Sequence[int] | NDArray[np.int64]) -> Float[Tensor, "n ..."]:
        """Return these rows, in their order, as float32."""
        if self._array is None:
            self._array = np.load(self._path, mmap_mode="r")
        chosen = torch.from_numpy(self._array[np.asarray(rows, dtype=np.int64)])
        return chosen.view(self._dtype).float()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_array": None}  # a memory map would be pickled with its contents


class PromptEncodings:
    """The encodings of prompts, each stored once."""

    def __init__(self, prompts: Sequence[str], stored: Mapping[str, StoredEncodings]) -> None:
        self._row_of = {prompt: row for row, prompt in enumerate(prompts)}
        self._stored = dict(stored)

    def __getitem__(self, prompts: Sequence[str]) -> dict[str, Float[Tensor, "n ..."]]:
        """Return what the encoder gave for each prompt, by the names that it gave."""
        unknown = [prompt for prompt in prompts if prompt not in self._row_of]
        if unknown:
            raise DataError(
                f"{len(unknown)} prompts were not encoded, among them {unknown[0]!r}: "
                "give all to encode_prompts."
            )
        rows = [self._row_of[prompt] for prompt in prompts]
        return {name: array[rows] for name, array in self._stored.items()}


def encoder_identity(encoder: nn.Module) -> str:
    """Hash the class of an encoder with its code, its settings and its weights."""
    parts = hashlib.sha256(f"{type(encoder).__module__}.{type(encoder).__qualname__}".encode())
    parts.update(Path(inspect.getfile(type(encoder))).read_bytes())
    for name, module in encoder.named_modules():
        config = getattr(module, "config", {})  # diffusers' are mappings, those of transformers are objects
        settings = config if isinstance(config, Mapping) else vars(config)
        kept = {key: value for key, value in settings.items() if not key.startswith("_")}
        kept.pop("transformers_version", None)
        parts.update(f"{name} {json.dumps(kept, sort_keys=True, default=str)}".encode())
    return f"{parts.hexdigest()[:16]}-{weights_digest(encoder)}"


def encode_prompts(
    cache_dir: Path,
    prompts: Sequence[str],
    encode: Callable[[list[str]], Mapping[str, Tensor]],
    identity: str,
    transform: str = "",
    dtype: EncodingDtype = "float16",
) -> PromptEncodings:
    """Encode every distinct prompt once, or read what was encoded before.

    Args:
        cache_dir: Folder of caches.
        prompts: Whatever will be asked for; they may repeat, in any order.
        encode: Returns arrays by name with a row for each prompt, such as the sequence and the pooled vector;
            the shape of a row must not depend on the prompts, so pad to a fixed length.
        identity: `encoder_identity` of what encodes.
        transform: What else decides the encodings, such as the length to which prompts are padded.
        dtype: How the encodings are stored.
    """
    distinct = sorted(set(prompts))
    content = hashlib.sha256(json.dumps(distinct).encode()).hexdigest()
    chunks = (distinct[at : at + _PROMPTS_AT_ONCE] for at in range(0, len(distinct), _PROMPTS_AT_ONCE))
    with torch.no_grad():
        encoded = (encode(chunk) for chunk in chunks)
        key = EncodingKey(content, transform, identity, dtype)
        stored = open_encodings(cache_dir, key, len(distinct), encoded, "Encoding the prompts")
    return PromptEncodings(distinct, stored)


def open_encodings(
    cache_dir: Path, key: EncodingKey, count: int, batches: Iterator[Mapping[str, Tensor]], task: str
) -> dict[str, StoredEncodings]:
    """Return the arrays of that key, by name; if they are not there whole, make them from `batches`.

    Every batch gives some rows of every array, the shape of a row being always the same; `count` in all.
    """
    folder = cache_dir / "encodings" / key.name
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        try:
            return _open_whole(folder, key, count)
        except FileNotFoundError:
            if folder.exists():
                log.warning("The encodings %s lack a file and are made again.", folder)
        except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
            log.warning("The encodings %s are broken (%s) and are made again.", folder, error)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished = folder.with_name(f"{key.name}.tmp")
        shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed: we hold the lock
        unfinished.mkdir()
        try:
            with closing(_Writer(unfinished, key)) as writer:
                _write_all(writer, count, batches, task)
                writer.finish()
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return _open_whole(folder, key, count)


def _open_whole(folder: Path, key: EncodingKey, count: int) -> dict[str, StoredEncodings]:
    notes = json.loads((folder / "notes.json").read_text())
    if notes["key"] != asdict(key):
        raise ValueError("they are of another key")
    for name, note in notes["arrays"].items():
        path = folder / f"{name}.npy"
        if note["shape"][0] != count or path.stat().st_size != note["bytes"]:
            raise ValueError(f"{path.name} has a wrong size")
        if _checksum(path) != note["checksum"]:
            raise ValueError(f"{path.name} has a wrong checksum")
    return {name: StoredEncodings(folder / f"{name}.npy", note) for name, note in notes["arrays"].items()}


def _checksum(path: Path) -> int:
    """Sum a file whole, or of a large one the beginning, where its header is."""
    left = path.stat().st_size if path.stat().st_size <= _WHOLE else 2**20
    total = 0
    with path.open("rb") as file:
        while left > 0 and (block := file.read(min(left, 2**22))):
            total, left = zlib.crc32(block, total), left - len(block)
    return total


def _write_all(writer: _Writer, count: int, batches: Iterator[Mapping[str, Tensor]], task: str) -> None:
    done = 0
    with tqdm(
        total=count,
        desc=task,
        unit="row",
        dynamic_ncols=True,
        mininterval=0.5 if sys.stderr.isatty() else 15.0,
    ) as bar:
        for batch in batches:
            (rows,) = {len(array) for array in batch.values()}
            writer.append(batch)
            done += rows
            bar.update(rows)
    if done != count:
        raise DataError(f"{done} rows were encoded, but {count} were to be: {task.lower()} failed.")


class _Writer:
    """Writes the arrays of an entry batch by batch."""

    _HEADER = 128  # numpy pads the header of such an array to a multiple of 64, with room for growth

    def __init__(self, folder: Path, key: EncodingKey) -> None:
        self._folder, self._key = folder, key
        self._files: dict[str, BinaryIO] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}

    def append(self, batch: Mapping[str, Tensor]) -> None:
        """Add some rows to every array."""
        for name, array in batch.items():
            if name not in self._files:
                self._files[name] = (self._folder / f"{name}.npy").open("wb")
                self._shapes[name] = (0, *array.shape[1:])
                self._write_header(name)
            count, *row = self._shapes[name]
            if list(array.shape[1:]) != row:
                raise DataError(
                    f"The encodings {name!r} have rows of shape {tuple(row)} and {tuple(array.shape[1:])}; "
                    "all must be alike: encode to a fixed length."
                )
            self._files[name].write(self._to_bytes(name, array))
            self._shapes[name] = (count + len(array), *row)

    def finish(self) -> None:
        """Complete the files."""
        arrays = {}
        for name, file in self._files.items():
            self._write_header(name)
            file.flush()
            os.fsync(file.fileno())
            file.close()
            path = self._folder / f"{name}.npy"
            arrays[name] = {
                "shape": self._shapes[name],
                "dtype": self._key.dtype,
                "bytes": path.stat().st_size,
                "checksum": _checksum(path),
            }
        (self._folder / "notes.json").write_text(json.dumps({"key": asdict(self._key), "arrays": arrays}))

    def close(self) -> None:
        """Close the files; of an unfinished entry, nothing else is worth doing."""
        for file in self._files.values():
            file.close()

    def _to_bytes(self, name: str, array: Tensor) -> bytes:
        array = array.detach().cpu()
        stored = array.to(_DTYPES[self._key.dtype]).contiguous()
        if not torch.equal(stored.isinf(), array.isinf()):
            raise DataError(
                f"The encodings {name!r} reach {float(array.abs().max()):g}, beyond {self._key.dtype}: "
                "store them as bfloat16 or float32."
            )
        return stored.flatten().view(torch.uint8).numpy().tobytes()

    def _write_header(self, name: str) -> None:
        file = self._files[name]
        file.seek(0)
        described = {
            "descr": _STORED_AS[self._key.dtype],
            "fortran_order": False,
            "shape": self._shapes[name],
        }
        npy.write_array_header_1_0(file, described)
        assert file.tell() == self._HEADER
