"""Images of pairs of a style and a content prompt, in batches of styles (MegaStyle, arXiv 2604.08364)."""

from __future__ import annotations

import hashlib
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal, cast, get_args

import numpy as np
from annotated_types import Ge
from numpy.typing import NDArray

from datamodules.batching import Augmentation, HeldOutBatches, RejectionLog, StyledTrainBatches
from datamodules.conditions import read_prompts
from datamodules.latents import RowLatents, encode_rows
from datamodules.sampling import StyleSampler
from datamodules.source import SPLITS, ImageIndex, StyleSource
from stylekit.batch import StyleBatch
from stylekit.bounds import AtLeastTwo, Count, Positive, Probability, Share, bounded
from stylekit.cache import cache_folder
from stylekit.datamodule import Batch, ImageRecord, StyleDataModule, TrainBatches
from stylekit.encoding_cache import LatentEncoder, PromptEncoder, PromptEncodings
from stylekit.errors import ConfigError, DataError
from stylekit.pixels import Rejection
from stylekit.split import Split

__all__ = ["SynthesizedStyleDataModule"]

log = logging.getLogger(__name__)

_CHUNK = 64  # images examined at once


class SynthesizedStyleDataModule(StyleDataModule):
    """Batches of styles from any source of images that have a style and a content prompt.

    Styles, not images, are split into train, val and test, by a hash of their prompt; so are contents.

    Args:
        source: Where the images come from: the atelier, Parquet shards, or a folder of image files.
        image_size: Side of the square images in a batch.
        styles_per_batch: Styles in a batch, of all processes together; must be a multiple of their number.
        images_per_style: Images of each style in a batch. Styles with fewer are dropped.
        layout: "classes" for StyleBatch; "pairs" for PairBatch, every two images of a style being a pair.
        val_styles: Styles of the validation split to validate on; 0 for no validation.
        val_images_per_style: Images of each of them.
        flip_probability: Mirror so many of the training images left to right.
        min_crop_area: Crop training images to a random square of at least this share of their area.
        seed: Of the order and the augmentation.
        num_workers: Processes that make batches; 0 makes them in the training process.
        cache_dir: Folder of cached images; None is $STYLEKIT_CACHE or ~/.cache/stylekit.
        encoder: Encode every image once and give batches its latents, those of the whole image: they need
            flip_probability 0 and min_crop_area 1. The latents are kept in the cache folder too.
        prompt_encoder: Read every content prompt once and give pairs what text encoders made of it. Kept in
            the cache folder too: of FLUX.1-dev 4 MB for each prompt, so for data with few contents.
    """

    @bounded
    def __init__(
        self,
        source: StyleSource,
        image_size: Annotated[int, Ge(8)] = 64,
        styles_per_batch: Positive = 64,
        images_per_style: Positive = 2,
        layout: Literal["classes", "pairs"] = "classes",
        val_styles: Count = 64,
        val_images_per_style: AtLeastTwo = 4,
        flip_probability: Probability = 0.5,
        min_crop_area: Share = 0.8,
        seed: int = 0,
        num_workers: Count = 0,
        cache_dir: str | None = None,
        encoder: LatentEncoder | None = None,
        prompt_encoder: PromptEncoder | None = None,
    ) -> None:
        super().__init__(seed, num_workers)
        self.source = source
        self.image_size, self.styles_per_batch, self.images_per_style = (
            image_size,
            styles_per_batch,
            images_per_style,
        )
        self.layout, self.val_styles, self.val_images_per_style = layout, val_styles, val_images_per_style
        self.augmentation = Augmentation(flip_probability, min_crop_area)
        self.cache_dir = cache_folder(cache_dir)
        self.encoder, self.prompt_encoder = encoder, prompt_encoder
        self._check_settings()
        self._min_images: dict[Split, int] = {"train": images_per_style, "val": 2, "test": 2}
        self._index: ImageIndex | None = None
        self._digest: str | None = None
        self._rows: dict[Split, tuple[NDArray[np.int64], list[NDArray[np.int64]]]] = {}
        self._rejected = RejectionLog()
        self._latents: dict[Split, RowLatents] = {}
        self._conditions: dict[Split, PromptEncodings] = {}

    def prepare_data(self) -> None:
        """Fill the caches, once per machine."""
        self._open()
        splits: tuple[Split, ...] = ("train", "val")
        if self.encoder is not None or self.prompt_encoder is not None:
            for split in splits:  # what cannot be used is said before anything is encoded
                self._seen_rows(split)
        for split in splits:
            self._encoded(split)
            self._read(split)

    def train_batches(self, seed: int) -> TrainBatches:
        """Return the training batches in the order that `seed` gives."""
        styles, rows = self._usable("train")
        if len(styles) < self.styles_per_batch:
            raise DataError(
                f"A batch takes {self.styles_per_batch} different styles, but only {len(styles)} can be "
                f"trained on; set data.styles_per_batch to {len(styles)} or less."
            )
        world_size = self.trainer.world_size if self.trainer else 1
        if self.styles_per_batch % world_size:
            raise ConfigError(
                f"data.styles_per_batch={self.styles_per_batch} is the number for all {world_size} processes "
                f"together and must be a multiple of {world_size}."
            )
        sampler = StyleSampler(rows, self.styles_per_batch, self.images_per_style, seed)
        return StyledTrainBatches(
            self.source,
            self._open(),
            sampler,
            self.image_size,
            self.layout,
            self.augmentation,
            self._rejected,
            self._encoded("train"),
            self._read("train"),
        )

    def val_batches(self) -> Sequence[Batch]:
        """Return the batches of the first `val_styles` styles of the validation split."""
        if not self.val_styles:
            return []
        return HeldOutBatches(
            self.source,
            self._open(),
            self._val_rows(),
            self.styles_per_batch,
            self.image_size,
            self.layout,
            self._rejected,
            self._encoded("val"),
            self._read("val"),
        )

    def held_out(self, split: Split) -> Iterator[StyleBatch]:
        """Yield every usable style of a split once, with all its images, without augmentation."""
        _, rows = self._usable(split)
        batches = HeldOutBatches(
            self.source, self._open(), rows, self.styles_per_batch, self.image_size, "classes", self._rejected
        )
        return (cast(StyleBatch, batches[number]) for number in range(len(batches)))

    def order_digest(self) -> str:
        """Hash the rows of the styles, and the settings of the batches."""
        styles, rows = self._usable("train")
        prompts = self._open().style_prompts
        parts = hashlib.sha256(repr((self.styles_per_batch, self.images_per_style)).encode())
        for style, of_style in zip(styles, rows, strict=True):
            parts.update(prompts[style].encode() + of_style.tobytes())
        return parts.hexdigest()[:16]

    def digest(self) -> str:
        """Return a hash of the images and their prompts."""
        self._open()
        if self._digest is None:
            self._digest = self.source.digest()
        return self._digest

    def summary(self) -> dict[str, Any]:
        """Count images and styles per split, and what is dropped per reason."""
        index = self._open()
        counts: dict[str, Any] = {"rows": len(index.style_ids)}
        for split in SPLITS:
            styles, rows = self._split(split)
            contents = {int(content) for of_style in rows for content in index.content_ids[of_style]}
            counts[split] = {"styles": len(styles), "contents": len(contents), "images": sum(map(len, rows))}
        at_batch_time = self._rejected.read()
        dropped = index.dropped(self._min_images) + Counter(rejection.reason for rejection in at_batch_time)
        counts["kept"] = sum(counts[split]["images"] for split in SPLITS) - len(at_batch_time)
        counts["dropped"] = dict(sorted(dropped.items()))
        return counts

    def rejections(self) -> list[Rejection]:
        """List what cannot be used: found at the start, and found by making batches so far."""
        return [*self._open().rejections, *self._rejected.read()]

    def examine(self) -> Iterator[ImageRecord]:
        """Decode every image once and yield what was found."""
        index = self._open()
        for rejection in index.rejections:
            yield ImageRecord(rejection.where, reason=rejection.reason)
        split_of_row = {
            int(row): split for split in SPLITS for of_style in self._split(split)[1] for row in of_style
        }
        rows = np.flatnonzero(index.style_ids >= 0)
        for start in range(0, len(rows), _CHUNK):
            chunk = rows[start : start + _CHUNK].tolist()
            for row, image in zip(chunk, self.source.load(chunk), strict=True):
                prompts = (
                    index.style_prompts[index.style_ids[row]],
                    index.content_prompts[index.content_ids[row]],
                )
                if isinstance(image, Rejection):
                    yield ImageRecord(image.where, *prompts, reason=image.reason)
                    continue
                split = split_of_row.get(row)
                reason = index.reason(row) if split is None else None
                pixels = hashlib.sha256(repr(image.shape).encode() + np.ascontiguousarray(image).tobytes())
                height, width = image.shape[:2]
                where = self.source.where(row)
                yield ImageRecord(where, *prompts, split, reason, (width, height), pixels.hexdigest())

    def _check_settings(self) -> None:
        if self.layout not in get_args(Literal["classes", "pairs"]):
            raise ConfigError(f'data.layout must be "classes" or "pairs", not {self.layout!r}.')
        if self.layout == "pairs" and (self.images_per_style % 2 or self.val_images_per_style % 2):
            raise ConfigError(
                "With data.layout=pairs, data.images_per_style and data.val_images_per_style must be even."
            )
        if self.layout != "pairs" and self.prompt_encoder is not None:
            raise ConfigError("data.prompt_encoder is for pairs: set data.layout=pairs, or leave it out.")
        if self.encoder is not None and self.augmentation != Augmentation(0.0, 1.0):
            raise ConfigError(
                "data.encoder gives the latents of whole images; set data.flip_probability=0.0 (it is "
                f"{self.augmentation.flip_probability}) and data.min_crop_area=1.0 (it is "
                f"{self.augmentation.min_crop_area})."
            )

    def _open(self) -> ImageIndex:
        if self._index is None:
            self._index = self.source.open(self.image_size, self.cache_dir, self.num_workers)
            for reason, count in Counter(reason for _, reason in self._index.rejections).items():
                log.warning("Left out: %d x %s. `stylekit data check` lists them.", count, reason)
        return self._index

    def _split(self, split: Split) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        if split not in self._rows:
            self._rows[split] = self._open().rows_by_style(split, self._min_images[split])
        return self._rows[split]

    def _usable(self, split: Split) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        styles, rows = self._split(split)
        if not len(styles):
            raise DataError(self._nothing_usable(split))
        return styles, rows

    def _nothing_usable(self, split: Split) -> str:
        dropped = self.summary()["dropped"]
        because = (
            "; ".join(f"{count} x {reason}" for reason, count in dropped.items()) or "there are no images"
        )
        cure = self.source.advice(split)
        if split == "train":
            cure += ", or lower data.images_per_style"
        if split == "val":
            cure += ", or set data.val_styles=0 to train without validation"
        least = self._min_images[split]
        return f"No style of the {split} split has {least} usable images (dropped: {because}): {cure}."

    def _val_rows(self) -> list[NDArray[np.int64]]:
        if not self.val_styles:
            return []
        _, rows = self._usable("val")
        return [of_style[: self.val_images_per_style] for of_style in rows[: self.val_styles]]

    def _seen_rows(self, split: Split) -> NDArray[np.int64]:
        """Return the rows that training or validation takes images from."""
        chosen = self._usable("train")[1] if split == "train" else self._val_rows()
        return np.concatenate(chosen) if chosen else np.empty(0, np.int64)

    def _encoded(self, split: Split) -> RowLatents | None:
        """Return the latents of a split: trainings with another validation share those of training."""
        if self.encoder is None:
            return None
        if split not in self._latents and len(rows := self._seen_rows(split)):
            self._latents[split] = encode_rows(
                self.source, self.digest(), rows, self.image_size, self.encoder, self.cache_dir
            )
        return self._latents.get(split)

    def _read(self, split: Split) -> PromptEncodings | None:
        if self.prompt_encoder is None:
            return None
        if split not in self._conditions and len(rows := self._seen_rows(split)):
            index = self._open()
            contents = np.unique(index.content_ids[rows])
            prompts = [index.content_prompts[content] for content in contents]
            self._conditions[split] = read_prompts(prompts, self.prompt_encoder, self.cache_dir)
        return self._conditions.get(split)
