"""Boards: labelled images that an encoder is measured on, the same for every encoder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor
from tqdm import tqdm

from stylekit.atelier import (
    Repertoire,
    Scene,
    Style,
    draw,
    sample_palette_groups,
    sample_scenes,
    sample_styles,
)
from stylekit.datamodule import StyleDataModule
from stylekit.errors import DataError
from stylekit.method import StyleEncoder

__all__ = [
    "Board",
    "data_board",
    "drawn_board",
    "embed_board",
    "mean_by_label",
    "palette_matched_board",
    "random_board",
    "seed_of",
    "to_bytes",
]

_CACHE_LIMIT = 2**30
"""Bytes of pixels up to which a board is kept in memory instead of being drawn for every encoder."""


class Board:
    """Images with a style and a content each, and optionally the group of styles that each is ranked in.

    Pixels are 8 bit, as an image file would hold them.

    Args:
        name: Of the board; opens the names of its metrics.
        style_ids: The style of each image.
        content_ids: The content of each image.
        pixels: Yields the images in order, in batches; called again for each encoder.
        settings: What the board was made from, for the result.
        groups: The group of each image.
    """

    def __init__(
        self,
        name: str,
        style_ids: Int[Tensor, " n"],
        content_ids: Int[Tensor, " n"],
        pixels: Callable[[], Iterator[UInt8[Tensor, "b 3 h w"]]],
        settings: dict[str, Any],
        groups: Int[Tensor, " n"] | None = None,
    ) -> None:
        self.name = name
        self.style_ids, self.content_ids, self.groups = style_ids, content_ids, groups
        self.settings = settings
        self._pixels = pixels
        self._kept: list[Tensor] | None = None

    def __len__(self) -> int:
        return len(self.style_ids)

    def batches(self) -> Iterator[Float[Tensor, "b 3 h w"]]:
        """Yield the images in [0, 1]; the first pass adds the digest of the pixels to the settings."""
        if self._kept is not None:
            yield from (pixels / 255.0 for pixels in self._kept)
            return
        digest, kept, size = hashlib.sha256(), [], 0
        for pixels in self._pixels():
            digest.update(pixels.numpy().tobytes())
            size += pixels.numel()
            if size <= _CACHE_LIMIT:
                kept.append(pixels)
            yield pixels / 255.0
        self._kept = kept if size <= _CACHE_LIMIT else None
        self.settings["pixels"] = digest.hexdigest()[:16]


def random_board(
    num_styles: int,
    num_contents: int,
    image_size: int,
    seed: int,
    batch_size: int,
    name: str = "random",
    repertoire: Repertoire | None = None,
) -> Board:
    """Draw held-out styles, each with the same held-out contents."""
    styles = sample_styles(num_styles, seed, split="test")
    scenes = sample_scenes(num_contents, seed, split="test", repertoire=repertoire)
    board = drawn_board(name, [styles], scenes, image_size, seed, batch_size)
    if repertoire is not None:
        board.settings["repertoire"] = repertoire.name
    return board


def palette_matched_board(
    num_groups: int, group_size: int, num_contents: int, image_size: int, seed: int, batch_size: int
) -> Board:
    """Draw groups of held-out styles that share their colours and differ in how they are made."""
    groups = sample_palette_groups(num_groups, group_size, seed, split="test")
    scenes = sample_scenes(num_contents, seed, split="test")
    return drawn_board("palette_matched", groups, scenes, image_size, seed, batch_size)


def drawn_board(
    name: str,
    style_groups: Sequence[Sequence[Style]],
    scenes: Sequence[Scene],
    image_size: int,
    seed: int,
    batch_size: int,
) -> Board:
    """Draw every style of every group with every scene; of several groups, each is ranked by itself."""
    num_contents = len(scenes)
    styles = [style for group in style_groups for style in group]
    num_images = len(styles) * num_contents
    prompts = [(style.prompt(), scene.prompt()) for style in styles for scene in scenes]
    # The seed of an image depends on what it shows alone: a larger board holds the same images and more.
    seeds = [seed_of(f"{seed}/{style_prompt}/{content_prompt}") for style_prompt, content_prompt in prompts]

    def pixels() -> Iterator[Tensor]:
        for start in range(0, num_images, batch_size):
            rows = range(start, min(start + batch_size, num_images))
            yield to_bytes(
                draw(
                    [scenes[row % num_contents] for row in rows],
                    [styles[row // num_contents] for row in rows],
                    [seeds[row] for row in rows],
                    image_size,
                )
            )

    settings: dict[str, Any] = {
        "images": num_images,
        "styles": len(styles),
        "contents": num_contents,
        "image_size": image_size,
        "seed": seed,
    }
    if len(style_groups) > 1:
        settings |= {"groups": len(style_groups), "group_size": len(style_groups[0])}
    settings["prompts"] = hashlib.sha256(repr(prompts).encode()).hexdigest()[:16]
    image_styles = torch.arange(len(styles)).repeat_interleave(num_contents)
    group_of_style = torch.cat([torch.full((len(group),), i) for i, group in enumerate(style_groups)])
    return Board(
        name,
        image_styles,
        torch.arange(num_contents).repeat(len(styles)),
        pixels,
        settings,
        group_of_style[image_styles] if len(style_groups) > 1 else None,
    )


def data_board(data: StyleDataModule) -> Board:
    """Take the held-out styles of a data set, without those of a single image, which cannot be retrieved."""
    data.setup("test")
    batches = [(batch.style_ids, batch.content_ids) for batch in data.held_out("test")]
    if not batches:
        raise DataError("The data has no held-out styles; a benchmark needs some in its test split.")
    style_ids, content_ids = (torch.cat(parts) for parts in zip(*batches, strict=True))
    _, place, counts = torch.unique(style_ids, return_inverse=True, return_counts=True)
    usable = counts[place] > 1
    if len(torch.unique(style_ids[usable])) < 2:
        raise DataError(
            "The data has fewer than two held-out styles of two images or more; nothing to retrieve."
        )

    def pixels() -> Iterator[Tensor]:
        start = 0
        for batch in data.held_out("test"):
            images = batch.images[usable[start : start + len(batch.images)]]
            start += len(batch.images)
            if len(images):
                yield to_bytes(images)

    settings = {
        "images": int(usable.sum()),
        "styles": len(torch.unique(style_ids[usable])),
        "styles_of_one_image_left_out": int((counts == 1).sum()),
        "data": data.digest(),
    }
    return Board("held_out", style_ids[usable], content_ids[usable], pixels, settings)


def embed_board(encoder: StyleEncoder, board: Board, title: str) -> Tensor:
    """Return the unit vectors of all images of a board."""
    was_training = encoder.training
    encoder.eval()
    embeddings = []
    with torch.inference_mode(), tqdm(total=len(board), desc=title, unit="image") as bar:
        for images in board.batches():
            embeddings.append(encoder.embed(images.to(encoder.device)).float().cpu())
            bar.update(len(images))
    encoder.train(was_training)
    # Out of inference mode the copy is an ordinary tensor. Half precision leaves lengths a little off one.
    vectors = torch.cat(embeddings).clone()
    lengths: Tensor = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    return vectors / lengths


def mean_by_label(values: Tensor, labels: Tensor) -> Tensor:
    """Average values over the images of each label, the labels in ascending order."""
    place = torch.unique(labels, return_inverse=True)[1]
    counts = torch.bincount(place)
    sums = torch.zeros(len(counts), dtype=values.dtype).index_add_(0, place, values)
    return sums / counts


def to_bytes(images: Float[Tensor, "*n 3 h w"]) -> UInt8[Tensor, "*n 3 h w"]:
    """Round images in [0, 1] to what an image file would hold."""
    return (images * 255).round().clamp(0, 255).to(torch.uint8)


def seed_of(text: str) -> int:
    """Make a seed of what an image is to show."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") // 2
