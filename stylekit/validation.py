"""What is done at validations beside the losses: styles retrieved, pictures painted."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from stylekit.batch import PairBatch
from stylekit.image_files import save_png
from stylekit.method import StyleEncoder, StyleRenderer
from stylekit.metrics import nearest, recall_at_k, relevance
from stylekit.painting import Row, paint
from stylekit.run import write_atomically
from stylekit.tracking import Tracker

__all__ = ["RenderSamples", "ValidateEncoder"]


class ValidateEncoder(Callback):
    """Retrieve styles among the validation images: `val/recall_at_1` of an encoder."""

    def __init__(self) -> None:
        self._embeddings: list[Tensor] = []
        self._styles: list[Tensor] = []

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        assert isinstance(pl_module, StyleEncoder)
        self._embeddings.append(pl_module.embed(batch.images).float().cpu())
        self._styles.append(batch.style_ids.cpu())

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        embeddings, styles = torch.cat(self._embeddings), torch.cat(self._styles)
        self._embeddings, self._styles = [], []
        recall = recall_at_k(relevance(nearest(embeddings, k=1), styles), k=1).mean()
        pl_module.log("val/recall_at_1", recall, sync_dist=True)


class RenderSamples(Callback):
    """Paint the first validation prompts at every validation, in the style of their references.

    References and prompts lie beside the pictures as files, and the seeds are 0, 1, ...: `render` of what
    the run has learned paints the same again.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count
        self._batch: Any = None

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        if batch_idx == 0:
            self._batch = batch

    # Not Lightning's inference mode, in which a method could not follow gradients while it paints.
    @torch.inference_mode(False)
    @torch.enable_grad()
    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, StyleRenderer)
        batch, self._batch = self._batch, None
        truth = _as_stored(batch.images[: self.count])
        references = _as_stored(batch.references[: self.count]) if isinstance(batch, PairBatch) else truth
        rows = [
            Row(prompt, seed, content if "content" in pl_module.needs else None)
            for seed, (prompt, content) in enumerate(zip(batch.content_prompts, truth, strict=False))
        ]
        with torch.random.fork_rng(devices=[] if pl_module.device.type == "cpu" else None):
            painted = [
                paint(pl_module, pl_module.extract(reference[None]), [row])[0]
                for reference, row in zip(references, rows, strict=True)
            ]
        if trainer.is_global_zero and isinstance(trainer.logger, Tracker):
            for number, reference in enumerate(references):
                save_png(reference, self.folder / "references" / f"{number}.png")
            prompts = "".join(f"{row.prompt}\n" for row in rows)
            write_atomically(self.folder / "prompts.txt", prompts)
            shown = torch.stack([_still(image, truth.shape[-2:]) for image in painted])
            side_by_side = torch.stack([references.cpu(), shown, truth.cpu()], 1).flatten(0, 1)
            trainer.logger.log_images("val/reference_painted_truth", side_by_side, trainer.global_step, 3)


def _as_stored(images: Tensor) -> Tensor:
    """Round to 8 bits, as files are."""
    return (images.float() * 255).round() / 255


def _still(image: Tensor, size: Sequence[int]) -> Tensor:
    """Return an image, or the middle frame of a film, at that size."""
    frame = image[len(image) // 2] if image.ndim == 4 else image
    return frame if frame.shape[1:] == size else F.interpolate(frame[None], tuple(size))[0]
