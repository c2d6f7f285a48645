"""How well images show a prompt in the style of a reference, and what else of the reference they show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from stylekit.benchmarks.judging import SceneJudge
from stylekit.benchmarks.scene_scores import (
    STYLE_FIELDS,
    content_scores,
    kinds_present,
    palette_distance,
    style_scores,
)
from stylekit.benchmarks.transfer_board import TransferBoard
from stylekit.method import ImageTextEncoder, StyleEncoder
from stylekit.reading import Reading
from stylekit.weights_digest import weights_digest

__all__ = ["Seen", "TransferScorer"]

ItemT = TypeVar("ItemT")


class Seen(NamedTuple):
    """What judge and encoders make of images of one style; a row for each frame of each image."""

    reading: Reading
    styles: Float[Tensor, "m d"]
    """Unit vectors of the style encoder."""
    contents: Float[Tensor, "m c"]
    """Unit vectors of the image-text encoder."""
    num_frames: int


class TransferScorer:
    """Scores images of a board's styles; every score has a value for each image, the mean over its frames.

    Args:
        board: Whose styles and prompts are meant.
        judge: Reads things and words of style.
        encoder: Compares styles of images and references.
        text_encoder: Compares images with prompts.
        device: Where these three work.
    """

    def __init__(
        self,
        board: TransferBoard,
        judge: SceneJudge,
        encoder: StyleEncoder,
        text_encoder: ImageTextEncoder,
        device: torch.device,
    ) -> None:
        assert isinstance(judge, nn.Module)
        for module in (judge, encoder, text_encoder):
            module.to(device).eval()
        self.board, self.judge = board, judge
        self.encoder, self.text_encoder = encoder, text_encoder
        self.device = device
        vectors = self._embed(encoder, board.references.flatten(0, 1))
        self.references = vectors.view(*board.references.shape[:2], -1)

    @property
    def settings(self) -> dict[str, str]:
        """Digests of the weights that score."""
        assert isinstance(self.judge, nn.Module)
        return {
            "judge": weights_digest(self.judge),
            "encoder": weights_digest(self.encoder),
            "text_encoder": weights_digest(self.text_encoder),
        }

    def look(self, frames: Float[Tensor, "n f 3 h w"]) -> Seen:
        """Look at frames of the images of one style."""
        images = frames.flatten(0, 1).to(self.device)
        return Seen(
            self.judge.read(images).cpu(),
            self._embed(self.encoder, images),
            self._embed(self.text_encoder, images),
            frames.shape[1],
        )

    def right(self, index: int, seen: Seen) -> dict[str, Float[Tensor, " n"]]:
        """Score images of a style by its references, its words and its prompts."""
        transfer = self.board.transfers[index]
        scenes = _repeat([scene for scene, _ in self.board.rows(index)], seen.num_frames)
        with torch.no_grad():
            texts = self.text_encoder.embed_texts(transfer.prompts).float().cpu()
        texts = F.normalize(texts, dim=1).repeat_interleave(len(scenes) // len(texts), 0)
        found = self._style(index, seen) | content_scores(seen.reading, scenes)
        found["text_score"] = (seen.contents * texts).sum(1)
        found["leakage"] = kinds_present(seen.reading, [transfer.shown_kinds] * len(scenes))
        return _by_image(found, seen.num_frames)

    def wrong(self, index: int, seen: Seen) -> dict[str, Float[Tensor, " n"]]:
        """Score the same images by the references and words of the style that it is mistaken for."""
        other = self.board.wrong(index)
        found = self._style(other, seen)
        own, theirs = (self.board.transfers[one].shown_kinds for one in (index, other))
        kinds = [theirs - own - {item.name for item in scene.objects} for scene, _ in self.board.rows(index)]
        found["leakage"] = kinds_present(seen.reading, _repeat(kinds, seen.num_frames))
        return _by_image(found, seen.num_frames)

    def _style(self, index: int, seen: Seen) -> dict[str, Tensor]:
        similarity = torch.einsum("md,srd->msr", seen.styles, self.references)
        styles = [self.board.transfers[index].style] * len(similarity)
        truth = style_scores(seen.reading, styles)
        return {
            "style_similarity": similarity[:, index].mean(1),
            "reference_recall": similarity.amax(2).argmax(1) == index,
            **truth,
            "style_truth": torch.stack([truth[field] for field in STYLE_FIELDS]).mean(0),
            "palette_distance": palette_distance(seen.reading, styles),
        }

    def _embed(self, encoder: StyleEncoder, images: Tensor) -> Float[Tensor, "n d"]:
        with torch.no_grad():
            vectors = encoder.embed(images.to(self.device)).float().cpu()
        return F.normalize(vectors, dim=1)  # half precision leaves lengths a little off one


def _repeat(items: Sequence[ItemT], times: int) -> list[ItemT]:
    return [item for item in items for _ in range(times)]


def _by_image(found: dict[str, Tensor], num_frames: int) -> dict[str, Tensor]:
    return {name: value.double().view(-1, num_frames).mean(1) for name, value in found.items()}
