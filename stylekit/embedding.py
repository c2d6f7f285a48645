"""Embed image files with a style encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image, ImageOps
from torch import Tensor
from tqdm import tqdm

from stylekit.checkpoint import load_method
from stylekit.config import build, check, compose
from stylekit.errors import ConfigError, DataError
from stylekit.method import StyleEncoder

__all__ = ["embed"]

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}


def embed(
    target: str,
    *overrides: str,
    images: Sequence[str | Path],
    out: str | Path,
    config_dirs: Sequence[Path] = (),
    batch_size: int = 64,
) -> Path:
    """Write the style vectors of image files to a Parquet file with columns `file` and `embedding`.

    Args:
        target: A finished run, or an experiment whose method needs no training.
        overrides: `group=file` or `dotted.key=value`; for an experiment only.
        images: Files and folders.
        out: The Parquet file to write.
        config_dirs: Further config folders.
        batch_size: Images embedded at once.
    """
    files = _find(images)
    if Path(out).suffix != ".parquet":
        raise ConfigError(f"out must be a .parquet file, not {out}.")
    encoder = _encoder(target, overrides, config_dirs)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    encoder.to(device)
    embeddings = []
    with torch.inference_mode(), tqdm(total=len(files), desc="embed", unit="image") as bar:
        for batch in _batches(files, batch_size):
            # Files differ in size and the encoder resizes, so each passes through on its own before stacking.
            embeddings += [encoder.embed(image[None].to(device)).cpu() for image in batch]
            bar.update(len(batch))
    vectors = torch.cat(embeddings).float().numpy()
    table = pa.table({"file": [str(file) for file in files], "embedding": list(vectors)})
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(out).with_suffix(".parquet.tmp")
    pq.write_table(table, temporary)
    temporary.replace(out)
    return Path(out)


def _find(images: Sequence[str | Path]) -> list[Path]:
    found: list[Path] = []
    for entry in map(Path, images):
        if entry.is_dir():
            found += sorted(file for file in entry.rglob("*") if file.suffix.lower() in SUFFIXES)
        elif entry.is_file():
            found.append(entry)
        else:
            raise DataError(f"There is no image {entry}.")
    if not found:
        raise DataError(
            f"No images in {', '.join(map(str, images))}; known types: {', '.join(sorted(SUFFIXES))}."
        )
    broken = [str(file) for file in found if not _is_image(file)]
    if broken:
        raise DataError(f"Not readable as images, remove or mend them: {', '.join(broken[:10])}.")
    return found


def _is_image(file: Path) -> bool:
    try:
        with Image.open(file) as image:
            image.verify()
    except (OSError, SyntaxError, Image.DecompressionBombError):
        return False
    return True


def _batches(files: Sequence[Path], size: int) -> Iterator[list[Tensor]]:
    for start in range(0, len(files), size):
        yield [_read(file) for file in files[start : start + size]]


def _read(file: Path) -> Tensor:
    try:
        with Image.open(file) as image:
            pixels = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    except OSError as error:  # truncated: seen only when all of it is decoded
        raise DataError(f"{file} cannot be read as an image ({error}); remove or mend it.") from error
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255.0


def _encoder(target: str, overrides: Sequence[str], config_dirs: Sequence[Path]) -> StyleEncoder:
    if (Path(target) / "run.json").is_file():
        if overrides:
            raise ConfigError("A run is used as it was trained; overrides apply to experiments only.")
        method = load_method(target)
    else:
        config = compose(target, overrides, config_dirs)
        check(config)
        method = build(config.values["method"]).eval()
    if not isinstance(method, StyleEncoder):
        raise ConfigError(f"{target} does not embed images; choose a style encoder (see `stylekit list`).")
    return method
