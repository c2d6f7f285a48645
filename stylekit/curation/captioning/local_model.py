"""Captioners that are models of transformers on this machine."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, final

import torch
from PIL import Image

from stylekit.bounds import Positive, bounded
from stylekit.curation.batches import in_batches
from stylekit.curation.captioning.captioner import Captioner, Query
from stylekit.curation.captioning.picture import open_picture
from stylekit.curation.failure import Failure
from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.generator import Dtype
from stylekit.foundation.loading import explained
from stylekit.foundation.locate import locate, weight_files

__all__ = ["LocalModel"]


class LocalModel(Captioner):
    """A model of transformers, by hub name or folder, loaded on first use to the worker's first device.

    Answers are decoded greedily. In float32 they do not depend on the batch; in bfloat16 a rounding can tip a
    word.

    Args:
        name_or_path: A folder, or a hub name.
        revision: Branch, tag or commit of a hub name.
        dtype: Of the weights in memory.
        batch_size: Questions at once; fewer where memory runs out.
        max_tokens: The longest answer.
        longest_side: Larger images are made smaller before they are looked at.
        device: Where it runs; null for CUDA where there is any.
    """

    without_weights: ClassVar[str | None] = "atelier_truth"
    """What captions in its place where its weights cannot be had."""

    @bounded
    def __init__(
        self,
        name_or_path: str,
        revision: str | None = None,
        dtype: Dtype = "bfloat16",
        batch_size: Positive = 8,
        max_tokens: Positive = 128,
        longest_side: Positive = 1024,
        device: str | None = None,
    ) -> None:
        self.name_or_path, self.revision, self.dtype = name_or_path, revision, dtype
        self.batch_size, self.max_tokens, self.longest_side = batch_size, max_tokens, longest_side
        self.device = device
        self._loaded: tuple[Any, Any] | None = None

    @final
    def files(self) -> list[Path]:
        return weight_files(self.name_or_path)

    @final
    def answer(self, queries: Sequence[Query]) -> list[str | Failure]:
        """Look at the images and answer, batch by batch."""
        return in_batches(self._answer, queries, self.batch_size)

    @abstractmethod
    def _load(self, where: str) -> tuple[Any, Any]:
        """Load model and processor."""

    @abstractmethod
    def _prepare(self, processor: Any, pictures: Sequence[Image.Image], texts: Sequence[str]) -> Any:
        """Make the inputs of `generate`."""

    @final
    def _load_whole(self, kind: Any, where: str) -> Any:
        """Load a model of which no weight is missing."""
        model, report = kind.from_pretrained(
            where, revision=self.revision, dtype=getattr(torch, self.dtype), output_loading_info=True
        )
        if lost := sorted(report["missing_keys"]):
            raise ConfigError(f"'{where}' lacks weights of a {type(model).__name__}: {', '.join(lost[:8])}.")
        return model

    @torch.no_grad()
    def _answer(self, queries: Sequence[Query]) -> list[str | Failure]:
        opened = [open_picture(query.subject.image, self.longest_side) for query in queries]
        seen = [
            (picture, query.text)
            for picture, query in zip(opened, queries, strict=True)
            if not isinstance(picture, Failure)
        ]
        said = iter(self._generate(*zip(*seen, strict=True)) if seen else ())
        return [picture if isinstance(picture, Failure) else next(said) for picture in opened]

    def _generate(self, pictures: Sequence[Image.Image], texts: Sequence[str]) -> list[str]:
        model, processor = self._ready()
        inputs = self._prepare(processor, pictures, texts).to(model.device, model.dtype)
        tokens = model.generate(**inputs, max_new_tokens=self.max_tokens)
        answers: list[str] = processor.batch_decode(
            tokens[:, inputs["input_ids"].shape[1] :] if "input_ids" in inputs else tokens,
            skip_special_tokens=True,
        )
        return answers

    def _ready(self) -> tuple[Any, Any]:
        if self._loaded is None:
            where = locate(self.name_or_path)
            try:
                with explained(self.name_or_path, where, self.without_weights, group="captioner"):
                    model, processor = self._load(where)
            except ImportError as error:
                raise MissingError(f"'{where}' needs what is not installed: {error}") from error
            # checkpoints come with settings for sampling
            model.generation_config.update(do_sample=False, temperature=None, top_p=None, top_k=None)
            device = self.device or ("cuda" if torch.cuda.is_available() else "cpu")
            self._loaded = model.eval().to(device), processor
        return self._loaded

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_loaded": None}  # each worker loads its own
