"""Films of moving atelier scenes in batches of styles, drawn once, kept, and encoded on request."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from annotated_types import Ge
from numpy.typing import NDArray
from torch import Tensor

from datamodules.atelier import AtelierSource
from datamodules.drawing import draw_all
from datamodules.latents import encode_images, stack
from datamodules.pool import ImagePool, open_pool
from datamodules.sampling import StyleSampler
from datamodules.source import SPLITS, ImageIndex
from stylekit.atelier import MovingScene, Style, draw_films, motion, sample_motions
from stylekit.batch import FilmBatch
from stylekit.bounds import AtLeastTwo, Count, Positive, bounded
from stylekit.cache import cache_folder
from stylekit.datamodule import ImageRecord, StyleDataModule, TrainBatches
from stylekit.encoding_cache import LatentEncoder, StoredEncodings
from stylekit.errors import ConfigError, DataError
from stylekit.pixels import Pixels
from stylekit.split import Split

__all__ = ["MovingScenesDataModule"]

_FILMS_AT_ONCE = 16
_FRAMES_AT_ONCE = 64  # are encoded


class MovingScenesDataModule(StyleDataModule):
    """Films in which the scenes of an atelier source move, as FilmBatch.

    Styles and contents are split as those of still images are: by the prompts of the style and of the scene,
    the motion left out. Every scene has one motion, which its seed chooses.

    Args:
        source: The atelier, with cache_images 0: films are kept, not images.
        frames: Frames of a film.
        image_size: Side of the frames.
        styles_per_batch: Styles in a batch, of all processes together; must be a multiple of their number.
        films_per_style: Films of each style in a batch.
        val_styles: Styles of the validation split to validate on; 0 for no validation.
        val_films_per_style: Films of each of them.
        encoder: Encode every frame once and give batches the latents, which are kept in the cache folder too.
        seed: Of the order.
        num_workers: Processes that make batches; 0 makes them in the training process.
        cache_dir: Folder of the films; None is $STYLEKIT_CACHE or ~/.cache/stylekit.
    """

    @bounded
    def __init__(
        self,
        source: AtelierSource,
        frames: AtLeastTwo = 8,
        image_size: Annotated[int, Ge(64)] = 64,
        styles_per_batch: Positive = 16,
        films_per_style: Positive = 1,
        val_styles: Count = 16,
        val_films_per_style: Positive = 2,
        encoder: LatentEncoder | None = None,
        seed: int = 0,
        num_workers: Count = 0,
        cache_dir: str | None = None,
    ) -> None:
        super().__init__(seed, num_workers)
        if source.cache_images:
            raise ConfigError("Moving scenes keep films, not images: set data.source.cache_images=0.")
        self.source, self.frames, self.image_size, self.encoder = source, frames, image_size, encoder
        self.styles_per_batch, self.films_per_style = styles_per_batch, films_per_style
        self.val_styles, self.val_films_per_style = val_styles, val_films_per_style
        self.cache_dir = cache_folder(cache_dir)
        self._min_films: dict[Split, int] = {"train": films_per_style, "val": 1, "test": 1}
        self._index: ImageIndex | None = None
        self._films: _Films | None = None

    def prepare_data(self) -> None:
        """Draw the films and encode them, once per machine."""
        self._open()

    def train_batches(self, seed: int) -> TrainBatches:
        """Return the training batches in the order that `seed` gives."""
        rows = self._usable("train")
        if len(rows) < self.styles_per_batch:
            raise DataError(
                f"A batch takes {self.styles_per_batch} different styles, but only {len(rows)} can be "
                f"trained on; set data.styles_per_batch to {len(rows)} or less."
            )
        world_size = self.trainer.world_size if self.trainer else 1
        if self.styles_per_batch % world_size:
            raise ConfigError(
                f"data.styles_per_batch={self.styles_per_batch} is the number for all {world_size} processes "
                f"together and must be a multiple of {world_size}."
            )
        sampler = StyleSampler(rows, self.styles_per_batch, self.films_per_style, seed)
        return _TrainFilms(self._open(), sampler)

    def val_batches(self) -> Sequence[FilmBatch]:
        """Return the batches of the first `val_styles` styles of the validation split."""
        if not self.val_styles:
            return []
        rows = self._usable("val")[: self.val_styles]
        chosen = [of_style[: self.val_films_per_style] for of_style in rows]
        return _HeldOutFilms(self._open(), chosen, self.styles_per_batch)

    def held_out(self, split: Split) -> Iterator[FilmBatch]:
        """Yield every usable style of a split once, with all its films."""
        batches = _HeldOutFilms(self._open(), self._usable(split), self.styles_per_batch)
        return (batches[number] for number in range(len(batches)))

    def drawn_from(self, rows: Sequence[int]) -> tuple[list[MovingScene], list[Style], list[int]]:
        """Return moving scene, style and seed of these films; from them `arrange_films` tells the truth."""
        self._look_up()
        scenes, styles, seeds = self.source.drawn_from(rows)
        return [sample_motions(scene, self.source.seed) for scene in scenes], styles, seeds

    def order_digest(self) -> str:
        """Hash the rows of the styles, and the settings of the batches."""
        index = self._look_up()
        parts = hashlib.sha256(repr((self.styles_per_batch, self.films_per_style)).encode())
        for of_style in self._usable("train"):
            parts.update(index.style_prompts[index.style_ids[of_style[0]]].encode() + of_style.tobytes())
        return parts.hexdigest()[:16]

    def digest(self) -> str:
        """Return a hash of the films and their prompts."""
        self._look_up()
        parts = hashlib.sha256(f"{self.source.digest()} {self.frames}".encode())
        parts.update(Path(motion.__file__).read_bytes())
        return parts.hexdigest()[:16]

    def summary(self) -> dict[str, Any]:
        """Count films and styles per split."""
        index = self._look_up()
        counts: dict[str, Any] = {"rows": len(index.style_ids), "kept": 0, "dropped": {}}
        for split in SPLITS:
            _, rows = index.rows_by_style(split, self._min_films[split])
            contents = {int(content) for of_style in rows for content in index.content_ids[of_style]}
            films = sum(map(len, rows))
            counts[split] = {"styles": len(rows), "contents": len(contents), "images": films}
            counts["kept"] += films
        counts["dropped"] = dict(index.dropped(self._min_films))
        return counts

    def examine(self) -> Iterator[ImageRecord]:
        """Yield what was found about every film."""
        index, films = self._look_up(), self._open()
        for row in range(len(index.style_ids)):
            split = SPLITS[index.splits[row]]
            yield ImageRecord(
                self.source.where(row).replace("image", "film", 1),
                index.style_prompts[index.style_ids[row]],
                index.content_prompts[index.content_ids[row]],
                split,
                None,
                (self.image_size, self.image_size),
                hashlib.sha256(films.frames_of(np.array([row])).tobytes()).hexdigest(),
            )

    def _look_up(self) -> ImageIndex:
        """Return the index of the films, which are not drawn for that."""
        if self._index is None:
            index = self.source.open(self.image_size, self.cache_dir, self.num_workers)
            row_of = dict(zip(index.content_ids.tolist(), range(len(index.content_ids)), strict=True))
            prompts = list(index.content_prompts)
            scenes, _, _ = self.source.drawn_from(list(row_of.values()))
            for content, scene in zip(row_of, scenes, strict=True):
                prompts[content] = sample_motions(scene, self.source.seed).prompt()
            self._index = replace(index, content_prompts=prompts)
        return self._index

    def _usable(self, split: Split) -> list[NDArray[np.int64]]:
        _, rows = self._look_up().rows_by_style(split, self._min_films[split])
        if not rows:
            cure = self.source.advice(split)
            if split == "val":
                cure += ", or set data.val_styles=0 to train without validation"
            raise DataError(
                f"No style of the {split} split has {self._min_films[split]} usable films: {cure}."
            )
        return rows

    def _open(self) -> _Films:
        if self._films is None:
            index = self._look_up()
            count = len(index.style_ids)
            drawn = (
                frame
                for film in draw_all(self._draw, count, self.num_workers, _FILMS_AT_ONCE)
                for frame in film
            )
            key = f"films-{self.image_size}-{self.digest()}"
            frames = count * self.frames
            pool = open_pool(
                self.cache_dir, key, self.image_size, drawn, {}, frames, "Drawing the frames of films"
            )
            self._films = _Films(index, pool, self.frames, self._encode(pool))
        return self._films

    def _draw(self, rows: Sequence[int]) -> list[Pixels]:
        """Draw films: a row for each, of the shape (t, s, s, 3)."""
        scenes, styles, seeds = self.drawn_from(rows)
        with torch.no_grad():
            films = draw_films(scenes, styles, seeds, self.frames, self.image_size)
        return list((films.permute(0, 1, 3, 4, 2) * 255.0).round().to(torch.uint8).numpy())

    def _encode(self, pool: ImagePool) -> StoredEncodings | None:
        if self.encoder is None:
            return None
        starts = range(0, len(pool), _FRAMES_AT_ONCE)
        images = (stack(pool.images[start : start + _FRAMES_AT_ONCE]) for start in starts)
        return encode_images(images, self.digest(), len(pool), self.image_size, self.encoder, self.cache_dir)


class _Films:
    """The films on disk, with their labels and latents."""

    def __init__(
        self, index: ImageIndex, pool: ImagePool, num_frames: int, latents: StoredEncodings | None
    ) -> None:
        self._index, self._pool, self._num_frames, self._latents = index, pool, num_frames, latents

    def frames_of(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the frames of these films, one after the other."""
        return self._pool.images[self._places(rows)]

    def batch(self, rows: NDArray[np.int64]) -> FilmBatch:
        """Return these films."""
        index = self._index
        return FilmBatch(
            self._by_film(stack(self.frames_of(rows))),
            torch.from_numpy(index.style_ids[rows]),
            torch.from_numpy(index.content_ids[rows]),
            [index.style_prompts[i] for i in index.style_ids[rows]],
            [index.content_prompts[i] for i in index.content_ids[rows]],
            None if self._latents is None else self._by_film(self._latents[self._places(rows)]),
        )

    def _by_film(self, frames: Tensor) -> Tensor:
        return frames.view(-1, self._num_frames, *frames.shape[1:])

    def _places(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return (rows[:, None] * self._num_frames + np.arange(self._num_frames)).ravel()


class _TrainFilms:
    """Training batches by number: the films that the sampler names."""

    def __init__(self, films: _Films, sampler: StyleSampler) -> None:
        self._films, self._sampler = films, sampler

    def __call__(self, position: int, rank: int, world_size: int) -> FilmBatch:
        return self._films.batch(self._sampler.batch(position, rank, world_size).rows.ravel())


class _HeldOutFilms(Sequence[FilmBatch]):
    """Batches of given styles with given films each."""

    def __init__(
        self, films: _Films, rows_by_style: Sequence[NDArray[np.int64]], styles_per_batch: int
    ) -> None:
        self._films, self._rows_by_style, self._styles_per_batch = films, rows_by_style, styles_per_batch

    def __len__(self) -> int:
        return -(-len(self._rows_by_style) // self._styles_per_batch)

    def __getitem__(self, number: int) -> FilmBatch:  # type: ignore[override]
        styles = self._rows_by_style[number * self._styles_per_batch : (number + 1) * self._styles_per_batch]
        if not len(styles):
            raise IndexError(number)
        return self._films.batch(np.concatenate(styles))
