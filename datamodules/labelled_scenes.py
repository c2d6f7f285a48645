"""Atelier images with the truth of what is where, for networks that learn to read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from datamodules.atelier import AtelierSource
from datamodules.synthesized import SynthesizedStyleDataModule
from stylekit.atelier import REPERTOIRES
from stylekit.atelier.vocabulary import index_of
from stylekit.batch import SceneBatch, StyleBatch
from stylekit.bounds import AtLeastTwo, Count, Positive, bounded
from stylekit.datamodule import Batch, ImageRecord, StyleDataModule, TrainBatches
from stylekit.errors import ConfigError
from stylekit.foundation.judge import GRID
from stylekit.split import Split

__all__ = ["LabelledScenesDataModule", "cells_of"]

_CELL = 4
_SIZE = GRID * _CELL  # at which scenes are laid out for their maps; places do not depend on it
_LEAST = 0.25  # share of a cell that things cover, below which it is empty


class LabelledScenesDataModule(StyleDataModule):
    """The images of an atelier source as SceneBatch: with maps of 16 x 16 cells, exact by construction.

    Styles and contents are split as in SynthesizedStyleDataModule. Training images are neither cropped nor
    mirrored, so that maps fit.

    Args:
        source: The atelier, with a repertoire.
        image_size: Side of the images.
        styles_per_batch: Styles in a batch, of all processes together.
        images_per_style: Images of each style in a batch.
        val_styles: Styles of the validation split to validate on; 0 for no validation.
        val_images_per_style: Images of each of them.
        seed: Of the order.
        num_workers: Processes that make batches; 0 makes them in the training process.
        cache_dir: Folder of cached images; None is $STYLEKIT_CACHE or ~/.cache/stylekit.
    """

    @bounded
    def __init__(
        self,
        source: AtelierSource,
        image_size: Positive = 64,
        styles_per_batch: Positive = 64,
        images_per_style: Positive = 1,
        val_styles: Count = 64,
        val_images_per_style: AtLeastTwo = 2,
        seed: int = 0,
        num_workers: Count = 0,
        cache_dir: str | None = None,
    ) -> None:
        super().__init__(seed, num_workers)
        if source.repertoire is None:
            raise ConfigError(
                "Labelled scenes need a repertoire, whose things they number: source.repertoire=mini."
            )
        self.source, self.image_size = source, image_size
        self._images = SynthesizedStyleDataModule(
            source,
            image_size,
            styles_per_batch,
            images_per_style,
            "classes",
            val_styles,
            val_images_per_style,
            flip_probability=0.0,
            min_crop_area=1.0,
            seed=seed,
            num_workers=num_workers,
            cache_dir=cache_dir,
        )
        self._maps = _SceneMaps(source)

    def prepare_data(self) -> None:
        """Fill the caches, once per machine."""
        self._images.prepare_data()

    def train_batches(self, seed: int) -> TrainBatches:
        """Return the training batches in the order that `seed` gives."""
        self._images.trainer = self.trainer
        return _LabelledTrainBatches(self._images.train_batches(seed), self._maps)

    def val_batches(self) -> Sequence[Batch]:
        """Return the batches of the first `val_styles` styles of the validation split."""
        return _LabelledBatches(self._images.val_batches(), self._maps)

    def held_out(self, split: Split) -> Iterator[StyleBatch]:
        """Yield every style of a split once, without maps."""
        return self._images.held_out(split)

    def order_digest(self) -> str:
        """Hash the rows of the styles, and the settings of the batches."""
        return self._images.order_digest()

    def digest(self) -> str:
        """Return a hash of the images and their prompts."""
        return self._images.digest()

    def summary(self) -> dict[str, Any]:
        """Count images and styles per split, and what is dropped per reason."""
        return self._images.summary()

    def examine(self) -> Iterator[ImageRecord]:
        """Decode every image once and yield what was found."""
        return self._images.examine()


def cells_of(
    shapes: Bool[Tensor, "n k h w"], ids: Int[Tensor, "n k"]
) -> tuple[Int[Tensor, "n g g"], Int[Tensor, "n g g"]]:
    """Return for each cell the id of what covers most of it, and which instance that is; -1 for none.

    Args:
        shapes: What each instance covers, from back to front; what is in front hides what is behind.
        ids: Of each instance.
    """
    k = shapes.shape[1]
    number = torch.arange(1, k + 1)[:, None, None]
    in_front = (shapes * number).amax(1)  # 0 for none
    seen = torch.nn.functional.one_hot(in_front, k + 1).permute(0, 3, 1, 2).float()
    share = torch.nn.functional.avg_pool2d(seen, _CELL)
    most, instances = share[:, 1:].max(1)
    empty = (share[:, 0] > 1.0 - _LEAST) | (most == 0)
    covering = ids.gather(1, instances.flatten(1)).view_as(instances)
    return covering.masked_fill(empty, -1), instances.masked_fill(empty, -1)


class _SceneMaps:
    """Maps by style and content, laid out when first asked for and kept: 512 bytes an image."""

    def __init__(self, source: AtelierSource) -> None:
        assert source.repertoire is not None
        self._source = source
        self._place = {index_of(name): at for at, name in enumerate(REPERTOIRES[source.repertoire].things)}
        splits = source.num_styles + 2 * source.held_out_styles
        self._kept = np.empty((splits * source.contents_per_style, 2, GRID, GRID), dtype=np.int8)
        self._rows: dict[tuple[int, int], int] = {}

    def label(self, batch: StyleBatch) -> SceneBatch:
        """Add the maps of its images to a batch."""
        keys = list(zip(batch.style_ids.tolist(), batch.content_ids.tolist(), strict=True))
        if missing := [key for key in dict.fromkeys(keys) if key not in self._rows]:
            rows = range(len(self._rows), len(self._rows) + len(missing))
            self._kept[rows.start : rows.stop] = self._lay_out(missing)
            self._rows |= dict(zip(missing, rows, strict=True))
        maps = torch.from_numpy(self._kept[[self._rows[key] for key in keys]]).long()
        return SceneBatch(*batch[:5], covering=maps[:, 0], instances=maps[:, 1])

    def _lay_out(self, keys: list[tuple[int, int]]) -> NDArray[np.int8]:
        styles, contents = np.array(keys).T
        maps = self._source.lay_out(styles, contents, _SIZE)
        ids = torch.tensor([[self._place.get(int(one), -1) for one in row] for row in maps.object_ids])
        covering, instances = cells_of(maps.shapes[:, :, 0] > 0, ids)
        found: NDArray[np.int8] = torch.stack([covering, instances], 1).to(torch.int8).numpy()
        return found


class _LabelledTrainBatches:
    def __init__(self, batches: TrainBatches, maps: _SceneMaps) -> None:
        self._batches, self._maps = batches, maps

    def __call__(self, position: int, rank: int, world_size: int) -> Batch:
        batch = self._batches(position, rank, world_size)
        assert isinstance(batch, StyleBatch)
        return self._maps.label(batch)


class _LabelledBatches(Sequence[Batch]):
    def __init__(self, batches: Sequence[Batch], maps: _SceneMaps) -> None:
        self._batches, self._maps = batches, maps

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, number: int) -> Batch:  # type: ignore[override]
        batch = self._batches[number]
        assert isinstance(batch, StyleBatch)
        return self._maps.label(batch)
