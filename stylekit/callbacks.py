"""What happens around every training step, whatever the method."""

from __future__ import annotations

import hashlib
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
import torch
from diffusers.training_utils import EMAModel
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback, ProgressBar
from torch import Tensor, nn
from torch.optim import Optimizer
from tqdm import tqdm

from stylekit.checkpoint import save_learned
from stylekit.errors import StylekitError
from stylekit.method import StyleMethod
from stylekit.tracking import Tracker

__all__ = [
    "Average",
    "FirstBatch",
    "Guard",
    "Progress",
    "Save",
    "SaveLearned",
    "SeedSteps",
    "Throughput",
]


class SeedSteps(Callback):
    """Seed every step from (seed, stage, position, rank): a resumed step draws what it would have drawn."""

    def __init__(self, seed: int, stage: str) -> None:
        self.key = f"{seed}/{stage}"

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        position = trainer.fit_loop.epoch_loop.total_batch_idx
        text = f"{self.key}/{position}/{trainer.global_rank}"
        torch.manual_seed(int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big"))


class Guard(Callback):
    """Stop when the loss is not finite; log the norms of gradients, weights and updates."""

    def __init__(self) -> None:
        self._before: list[Tensor] = []

    def on_before_optimizer_step(
        self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer
    ) -> None:
        if not _logs_now(trainer):
            return
        learned = [parameter for parameter in pl_module.parameters() if parameter.requires_grad]
        gradients = [parameter.grad for parameter in learned if parameter.grad is not None]
        if not gradients:
            raise StylekitError(
                "No gradient reached any learned parameter: the losses do not depend on them."
            )
        self._before = [parameter.detach().clone() for parameter in learned]
        pl_module.log("train/grad_norm", _norm(gradients))

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        loss = outputs["loss"]
        if not torch.isfinite(loss):
            raise StylekitError(
                f"The loss is {loss.item()} at step {trainer.global_step}; training stopped. "
                "The last checkpoint is good. Lower the learning rate, clip gradients "
                "(trainer.gradient_clip_val=1.0), or train in float32."
            )
        if self._before:
            learned = [parameter.detach() for parameter in pl_module.parameters() if parameter.requires_grad]
            pl_module.log("train/weight_norm", _norm(learned))
            pl_module.log("train/update_norm", _norm(torch._foreach_sub(learned, self._before)))
            self._before = []


class Throughput(Callback):
    """Log images per second, peak memory and learning rate."""

    def __init__(self) -> None:
        self._images, self._since = 0, 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._images, self._since = 0, time.perf_counter()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._images += len(batch[0]) * trainer.world_size
        if trainer._logger_connector.should_update_logs:
            now = time.perf_counter()
            pl_module.log("perf/images_per_second", self._images / (now - self._since))
            pl_module.log("perf/memory_gb", _memory(pl_module.device) / 2**30)
            pl_module.log("train/learning_rate", trainer.optimizers[0].param_groups[0]["lr"])
            self._images, self._since = 0, now


class Progress(ProgressBar):
    """Show the steps of a stage with their rate, the time left and the loss."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.title = title
        self._enabled = True
        self._bar: tqdm[Any] | None = None

    def disable(self) -> None:
        self._enabled = False

    def enable(self) -> None:
        self._enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._bar = tqdm(
            total=trainer.max_steps,
            initial=trainer.global_step,
            desc=self.title,
            unit="step",
            disable=not self._enabled or trainer.global_rank > 0,
            dynamic_ncols=True,
            mininterval=0.5 if sys.stderr.isatty() else 15.0,
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert self._bar is not None
        self._bar.update(trainer.global_step - self._bar.n)
        if _logs_now(trainer):
            shown = {"loss": f"{float(outputs['loss']):.3f}"}
            shown |= {
                name: f"{float(value):.3f}"
                for name, value in trainer.callback_metrics.items()
                if name == "val/recall_at_1"
            }
            self._bar.set_postfix(shown, refresh=False)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class FirstBatch(Callback):
    """Show what the method is given."""

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == 0 and trainer.is_global_zero and isinstance(trainer.logger, Tracker):
            trainer.logger.log_images("data/first_batch", batch.images[:64].float().cpu(), 0)


class Average(Callback):
    """Keep an exponential moving average of what is learned; validate and end with it."""

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._average: EMAModel | None = None
        self._restored: dict[str, Any] | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._average = EMAModel(_learned(pl_module), decay=self.decay, use_ema_warmup=True, power=0.75)
        if self._restored is not None:
            self._average.load_state_dict(self._restored)
            self._average.to(pl_module.device)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert self._average is not None
        if self._average.optimization_step < trainer.global_step:  # once per optimiser step, not per batch
            self._average.step(_learned(pl_module))

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._average is not None:
            self._average.store(_learned(pl_module))
            self._average.copy_to(_learned(pl_module))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self._average is not None:
            self._average.restore(_learned(pl_module))

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert self._average is not None
        self._average.copy_to(_learned(pl_module))

    def state_dict(self) -> dict[str, Any]:
        return dict(self._average.state_dict()) if self._average is not None else {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._restored = state_dict or None


class SaveLearned(Callback):
    """Write what was learned when a stage ends; sharded weights are gathered from all processes."""

    def __init__(self, path: Path, stages: list[str]) -> None:
        self.path, self.stages = path, stages

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, StyleMethod)
        if trainer.global_step < trainer.max_steps:
            return
        state = trainer.strategy.lightning_module_state_dict()
        if trainer.is_global_zero:
            save_learned(pl_module, state, self.path, self.stages)


class Save(Callback):
    """Save the position inside a stage every so many steps, and point `last.ckpt` to it."""

    def __init__(self, folder: Path, every: int, keep: int) -> None:
        self.folder, self.every, self.keep = folder, every, keep
        self._seen_step = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._seen_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if step == self._seen_step:  # gradients are being accumulated
            return
        self._seen_step = step
        if step % self.every:
            return
        path = self.folder / f"step={step:08d}.ckpt"
        trainer.save_checkpoint(path, weights_only=False)  # with optimiser and position
        if trainer.is_global_zero:
            self._point_last(path)

    def _point_last(self, path: Path) -> None:
        link, temporary = self.folder / "last.ckpt", self.folder / ".last"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(path.name)
        temporary.replace(link)
        for old in sorted(self.folder.glob("step=*.ckpt"))[: -self.keep]:
            shutil.rmtree(old) if old.is_dir() else old.unlink()  # some strategies write a folder


def _learned(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    norms: tuple[Tensor, ...] = torch._foreach_norm(list(tensors))
    norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return norm


def _logs_now(trainer: Trainer) -> bool:
    return trainer.global_step % max(1, getattr(trainer, "log_every_n_steps", 1)) == 0


def _memory(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return int(psutil.Process().memory_info().rss)
