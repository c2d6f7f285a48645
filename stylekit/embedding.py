"""Embed image files with a style encoder."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor
from tqdm import tqdm

from stylekit.encoder import load_encoder
from stylekit.errors import ConfigError, DataError
from stylekit.image_files import find_images, read_image
from stylekit.pixels import Rejection

__all__ = ["embed"]

log = logging.getLogger("stylekit")


def embed(
    target: str,
    *overrides: str,
    images: Sequence[str | Path],
    out: str | Path,
    config_dirs: Sequence[Path] = (),
    batch_size: int = 64,
) -> Path:
    """Write the style vectors of image files to a Parquet file with columns `file` and `embedding`.

    A file that cannot be read is named and left out.

    Args:
        target: A finished run, or an experiment, with what its `learned` names or else as it begins.
        overrides: `group=file` or `dotted.key=value`; for an experiment only.
        images: Files and folders.
        out: The Parquet file to write.
        config_dirs: Further config folders.
        batch_size: Images of one size embedded at once.
    """
    files = _find(images)
    if Path(out).suffix != ".parquet":
        raise ConfigError(f"out must be a .parquet file, not {out}.")
    encoder = load_encoder(target, overrides, config_dirs)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder.to(device)
    embedded: list[str] = []
    vectors: list[Tensor] = []
    with torch.inference_mode(), tqdm(total=len(files), desc="embed", unit="image") as bar:
        for names, images_of_one_size in _batches(files, batch_size, bar):
            vectors.append(encoder.embed(images_of_one_size.to(device)).float().cpu())
            embedded += names
    if not vectors:
        raise DataError(f"None of the {len(files)} files could be read as an image.")
    table = pa.table({"file": embedded, "embedding": list(torch.cat(vectors).numpy())})
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(out).with_suffix(".parquet.tmp")
    pq.write_table(table, temporary)
    temporary.replace(out)
    return Path(out)


def _find(images: Sequence[str | Path]) -> list[Path]:
    files: list[Path] = []
    for entry in images:
        found = find_images(entry)
        if isinstance(found, Rejection):
            raise DataError(f"{found.where}: {found.reason}.")
        files += found
    return files


def _batches(files: Sequence[Path], size: int, bar: tqdm[NoReturn]) -> Iterator[tuple[list[str], Tensor]]:
    """Stack neighbours of one size; the encoder does the resizing."""
    names: list[str] = []
    waiting: list[Tensor] = []
    for file in files:
        bar.update()
        image = read_image(file)
        if isinstance(image, Rejection):
            log.warning("%s is left out: %s.", image.where, image.reason)
            continue
        if waiting and (len(waiting) == size or waiting[0].shape != image.shape):
            yield names, torch.stack(waiting)
            names, waiting = [], []
        names.append(str(file))
        waiting.append(image)
    if waiting:
        yield names, torch.stack(waiting)
