"""Is a style the same in all its images, and another than the other styles: measured by a style encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, final

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from stylekit.bounds import AboveZero, Positive, bounded
from stylekit.config import compose
from stylekit.curation.estimate import Rate
from stylekit.curation.failure import Failure, rejects_table
from stylekit.curation.progress import Advance, unseen
from stylekit.curation.step import Counts, Inputs, RowStep, WholeStep
from stylekit.encoder import load_encoder
from stylekit.file_digest import files_digest
from stylekit.learned import compose_learned, method_files
from stylekit.method import StyleEncoder
from stylekit.pixels import Rejection, decode

__all__ = ["Audit", "Embed", "Judgement", "judge"]

_MAD = 1.4826  # of a normal distribution, its standard deviation over its median absolute deviation
_DECIMALS = 4
_AT_ONCE = 65_536


@final
class Embed(RowStep):
    """Gives every image its style vector.

    Args:
        encoder: The style encoder: an experiment's name, or the folder of a run.
        overrides: Of the experiment, as foundation=NAME.
        batch_size: Images at once.
        images_per_second: Of one worker, for estimates.
        config_dirs: Further config folders in which the experiment may be.
    """

    not_in_digest = frozenset({"images_per_second", "config_dirs"})

    @bounded
    def __init__(
        self,
        encoder: str,
        overrides: Sequence[str] = (),
        batch_size: Positive = 32,
        images_per_second: AboveZero | None = None,
        config_dirs: Sequence[str] = (),
    ) -> None:
        self.config_dirs = [Path(folder) for folder in config_dirs]
        if not Path(encoder).is_dir():
            compose(
                encoder, overrides, self.config_dirs
            )  # a mistake in it is said before hours of other steps
        self.encoder, self.overrides = encoder, tuple(overrides)
        self.batch_size, self.rate = batch_size, Rate(images_per_second)
        self._loaded: StyleEncoder | None = None

    def inputs(self) -> str:
        return files_digest(method_files(compose_learned(self.encoder, self.overrides, self.config_dirs)))

    def __call__(self, table: pa.Table) -> tuple[pa.Table, pa.Table]:
        names, style_ids, images, rejects = [], [], [], []
        columns = (table[key].to_pylist() for key in ("id", "style_id", "image"))
        for name, style_id, data in zip(*columns, strict=True):
            pixels = decode(data, name)
            if isinstance(pixels, Rejection):
                rejects.append((name, Failure(pixels.reason, "")))
                continue
            names.append(name)
            style_ids.append(style_id)
            images.append(torch.from_numpy(pixels).permute(2, 0, 1))
        vectors = self._embed(images)
        kept = pa.table(
            {
                "id": pa.array(names, pa.string()),
                "style_id": pa.array(style_ids, pa.string()),
                "embedding": pa.array(list(vectors), pa.list_(pa.float32())),
            }
        )
        return kept, rejects_table(rejects)

    def _embed(self, images: Sequence[torch.Tensor]) -> NDArray[np.float32]:
        encoder = self._load()
        vectors = np.zeros((len(images), 0), dtype=np.float32)
        # images of one size can be stacked; the encoder resizes them
        for shape in sorted({tuple(image.shape) for image in images}):
            places = [at for at, image in enumerate(images) if tuple(image.shape) == shape]
            for start in range(0, len(places), self.batch_size):
                members = places[start : start + self.batch_size]
                batch = torch.stack([images[at] for at in members]).to(encoder.device).float() / 255.0
                with torch.inference_mode():
                    found = encoder.embed(batch).float().cpu().numpy()
                if not vectors.shape[1]:
                    vectors = np.zeros((len(images), found.shape[1]), dtype=np.float32)
                vectors[members] = found
        return vectors

    def _load(self) -> StyleEncoder:
        if self._loaded is None:
            device = "cuda" if torch.cuda.is_available() else "cpu"
            self._loaded = load_encoder(self.encoder, self.overrides, self.config_dirs).eval().to(device)
        return self._loaded

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_loaded": None}


@final
class Audit(WholeStep):
    """Judges every image by its own style and by the others.

    Args:
        deviations: An image is an outlier if it resembles the others of its style so many robust standard
            deviations less than images do by the median.
    """

    rate = Rate(per_second=20_000.0)

    @bounded
    def __init__(self, deviations: AboveZero = 4.0) -> None:
        self.deviations = deviations

    def passes(self, rows: Counts) -> int:
        return 2 * sum(rows.values())

    def __call__(self, inputs: Inputs) -> Iterator[tuple[pa.Table, pa.Table]]:
        shards = inputs.last
        tables = list(shards.tables(["id", "style_id", "embedding"]))  # once: what is damaged is so for all
        whole = [table for table in tables if len(table)]
        if not whole:
            yield from ((pa.table({}), rejects_table([])) for _ in tables)
            return
        columns = pa.concat_tables(whole)
        vectors = columns["embedding"].combine_chunks()
        flat = vectors.flatten().to_numpy(zero_copy_only=False)
        styles = _numbered(columns["style_id"])
        found = judge(flat.reshape(len(columns), -1), styles, self.deviations, inputs.advance)
        start = 0
        for table in tables:
            stop = start + len(table)
            if not len(table):
                yield pa.table({}), rejects_table([])
                continue
            rows = {"id": table["id"]} | {
                name: pa.array(values[start:stop]) for name, values in found._asdict().items()
            }
            yield pa.table(rows), rejects_table([])
            start = stop


def _numbered(names: pa.ChunkedArray) -> NDArray[np.int64]:
    encoded = names.combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices.to_numpy(), dtype=np.int64)


class Judgement(NamedTuple):
    """One entry for each image."""

    consistency: NDArray[np.float64]
    """Median cosine to the other images of its style, which one bad one among them leaves alone; or NaN."""
    elsewhere: NDArray[np.float64]
    """Mean cosine to the images of other styles; NaN where there are none."""
    is_outlier: NDArray[np.bool_]


def judge(
    vectors: NDArray[np.float32], styles: NDArray[np.int64], deviations: float, advance: Advance = unseen
) -> Judgement:
    """Judge unit vectors (n, d) by their styles (n,); rounded, so that the last bits do not matter.

    `advance` is told of every image once.
    """
    consistency = _consistency(vectors, styles, advance).round(_DECIMALS)
    known = consistency[~np.isnan(consistency)]
    median = np.median(known) if len(known) else 0.0
    spread = _MAD * np.median(np.abs(known - median)) if len(known) else 0.0
    is_outlier = consistency < median - deviations * spread
    return Judgement(consistency, _elsewhere(vectors, styles).round(_DECIMALS), is_outlier)


def _consistency(
    vectors: NDArray[np.float32], styles: NDArray[np.int64], advance: Advance
) -> NDArray[np.float64]:
    found = np.full(len(vectors), np.nan)
    order = np.argsort(styles, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(styles[order])) + 1):
        if len(members) > 1:
            cosines = (vectors[members] @ vectors[members].T).astype(np.float64)
            np.fill_diagonal(cosines, np.nan)
            found[members] = np.nanmedian(cosines, axis=1)
        advance(len(members))
    return found


def _elsewhere(vectors: NDArray[np.float32], styles: NDArray[np.int64]) -> NDArray[np.float64]:
    _, style, sizes = np.unique(styles, return_inverse=True, return_counts=True)
    sums = np.zeros((len(sizes), vectors.shape[1]))
    np.add.at(sums, style, vectors)
    outside = len(vectors) - sizes[style]
    everything = sums.sum(0)
    cosines = np.empty(len(vectors))
    for start in range(0, len(vectors), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        cosines[rows] = (vectors[rows] * (everything - sums[style[rows]])).sum(1)
    return np.where(outside > 0, cosines / np.maximum(outside, 1), np.nan)
