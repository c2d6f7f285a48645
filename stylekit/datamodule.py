"""The contract of a data module: endless position-indexed training batches, finite held-out ones."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, final

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities import rank_zero_warn
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from stylekit.batch import FilmBatch, PairBatch, SceneBatch, StyleBatch
from stylekit.split import Split

__all__ = ["Batch", "ImageRecord", "StyleDataModule", "TrainBatches"]

Batch: TypeAlias = StyleBatch | PairBatch | SceneBatch | FilmBatch


class TrainBatches(Protocol):
    """Training batches by number; must be picklable, for workers."""

    def __call__(self, position: int, rank: int, world_size: int) -> Batch:
        """Return the share of process `rank` in batch number `position`, a pure function of its arguments."""


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What was found about one image of the data."""

    where: str
    """File, and row inside it."""
    style: str = ""
    content: str = ""
    split: Split | None = None
    """The split that it is used in; None if it is dropped."""
    reason: str | None = None
    """Why it is dropped."""
    size: tuple[int, int] | None = None
    """Width and height as stored; None if it could not be decoded or was not looked at."""
    pixels: str | None = None
    """Hash of the decoded pixels."""


class StyleDataModule(LightningDataModule, ABC):
    """Batches of styles, of which training sees number 0, 1, 2 ... and every one is a function of its number.

    The training loader is one endless epoch: `max_steps` ends training. Its position, the number of batches
    trained on, is in the checkpoint; `Trainer.fit(ckpt_path=...)` goes on with the next batch, with any
    number of workers and of processes. Batches that were only prefetched do not count.
    """

    def __init__(self, seed: int, num_workers: int) -> None:
        super().__init__()
        self.seed, self.num_workers = seed, num_workers
        self._stage = ""
        self._start = 0
        self._anchor: tuple[Any, int] | None = (
            None  # the trainer, and how many batches it had done at `_start`
        )
        self._resumed_order: str | None = None

    # For the data module to implement, in the order in which they are called.

    @abstractmethod
    def train_batches(self, seed: int) -> TrainBatches:
        """Return the training batches in the order that `seed` gives."""

    @abstractmethod
    def val_batches(self) -> Sequence[Batch]:
        """Return the validation batches, always the same, laid out as in training; picklable."""

    @abstractmethod
    def held_out(self, split: Split) -> Iterator[StyleBatch] | Iterator[FilmBatch]:
        """Yield every usable style of a split once, without augmentation."""

    @abstractmethod
    def order_digest(self) -> str:
        """Return a hash of all that decides the order of the training batches, the seed excepted."""

    @abstractmethod
    def digest(self) -> str:
        """Return a hash of the data: equal if and only if the images and their prompts are."""

    @abstractmethod
    def summary(self) -> dict[str, Any]:
        """Count what is kept per split and what is dropped per reason."""

    @abstractmethod
    def examine(self) -> Iterator[ImageRecord]:
        """Decode every image once and yield what was found."""

    # For the framework.

    @final
    def start_stage(self, stage: str) -> None:
        """Begin a stage: batch 0 of an order of its own."""
        self._stage, self._start, self._anchor, self._resumed_order = stage, 0, None, None

    @property
    def position(self) -> int:
        """The number of batches trained on in this stage, which is the number of the next one."""
        if self._anchor is None or self._anchor[0] is not self.trainer:
            return self._start
        return self._start + _num_trained(self.trainer) - self._anchor[1]

    @final
    def train_dataloader(self) -> DataLoader[Batch]:
        """Return the endless loader, from the present position on."""
        if self._resumed_order not in (None, self._order()):
            rank_zero_warn(
                "The data or the settings of the batches changed since the checkpoint was written: training "
                f"goes on with batch {self.position} of another order, in which images seen may come again."
            )
        self._start = self.position
        self._anchor = None if self.trainer is None else (self.trainer, _num_trained(self.trainer))
        rank, world_size = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        batches = self.train_batches(_stage_seed(self.seed, self._stage))
        endless = _EndlessBatches(batches, lambda: self.position, rank, world_size)
        return self._loader(endless, self.num_workers)

    @final
    def val_dataloader(self) -> DataLoader[Batch] | list[Any]:
        """Return the loader of the validation batches, the same in every process."""
        batches = self.val_batches()
        if not len(batches):
            return []
        return self._loader(_FiniteBatches(batches), min(self.num_workers, len(batches)))

    @final
    def state_dict(self) -> dict[str, Any]:
        """Return the position, for the checkpoint."""
        return {"position": self.position, "stage": self._stage, "order": self._order()}

    @final
    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue at the position of the checkpoint."""
        self._stage, self._start, self._anchor = state_dict["stage"], state_dict["position"], None
        self._resumed_order = state_dict["order"]

    def _order(self) -> str:
        return f"{self.seed}/{self.order_digest()}"

    def _loader(self, dataset: IterableDataset[Batch], num_workers: int) -> DataLoader[Batch]:
        return DataLoader(
            dataset,
            batch_size=None,
            num_workers=num_workers,
            pin_memory=torch.cuda.is_available(),
            worker_init_fn=_use_one_thread if num_workers else None,
            # Without its own, making an iterator would draw from the global generator, which training uses.
            generator=torch.Generator().manual_seed(0),
        )


class _EndlessBatches(IterableDataset[Batch]):
    """Batches from the position on; worker w of n makes every n-th, so that they arrive in order.

    An iterable data set, because Lightning would give a map-style one a DistributedSampler of its own.
    """

    def __init__(
        self, batches: TrainBatches, position: Callable[[], int], rank: int, world_size: int
    ) -> None:
        super().__init__()
        self._batches, self._position, self._rank, self._world_size = batches, position, rank, world_size

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        number, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        position = self._position() + number
        while True:
            yield self._batches(position, self._rank, self._world_size)
            position += step

    def __getstate__(self) -> dict[str, Any]:
        position = self._position()  # a spawned worker gets the number, not the data module and its trainer
        return self.__dict__ | {"_position": _Constant(position)}


class _FiniteBatches(IterableDataset[Batch]):
    def __init__(self, batches: Sequence[Batch]) -> None:
        super().__init__()
        self._batches = batches

    def __iter__(self) -> Iterator[Batch]:
        worker = get_worker_info()
        number, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        indices: Iterable[int] = range(number, len(self._batches), step)
        return (self._batches[index] for index in indices)


@dataclass(frozen=True)
class _Constant:
    value: int

    def __call__(self) -> int:
        return self.value


def _num_trained(trainer: Any) -> int:
    """Count the batches on which the training step is over.

    `processed` is raised after the step and before the hooks that save checkpoints; `completed` only after
    them, and `ready` before the step.
    """
    return int(trainer.fit_loop.epoch_loop.batch_progress.total.processed)


def _stage_seed(seed: int, stage: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{stage}".encode()).digest()[:7], "big")


def _use_one_thread(worker: int) -> None:
    """Leave the other cores to the other workers and to training."""
    torch.set_num_threads(1)
