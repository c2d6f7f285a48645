"""The atelier's judge: a small convolutional network that reads what an image shows and in which style."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.foundation import Foundation
from stylekit.foundation.locate import locate, missing_weights
from stylekit.reading import Reading
from stylekit.resizing import resized
from stylekit.seeding import drawing_from

__all__ = ["GRID", "MAX_COUNT", "AtelierJudge", "Judgement"]

GRID = 16
"""Cells along a side of the maps."""
MAX_COUNT = 3
_CELL = 4
_WEIGHTS = "model.safetensors"


class Judgement(NamedTuple):
    """What the network says, before it is decided."""

    cells: Float[Tensor, "n t+1 g g"]
    """Logits of which thing covers a cell; the last is of none."""
    centres: Float[Tensor, "n g g"]
    """Logits of how much of a thing's middle lies in a cell; the probabilities add up to their number."""
    presence: Float[Tensor, "n t"]
    """Logits."""
    counts: Float[Tensor, "n t 3"]
    """Logits of one, two and three, given that the thing is there."""
    style: dict[str, Float[Tensor, "n w"]]
    """Logits of the words of each field."""


class AtelierJudge(Foundation):
    """Reads images like the atelier's: things of the mini repertoire, counts, places, every field of style.

    Dense maps of 16 x 16 cells say which thing covers a cell and where things have their middle; presence,
    counts and centres are read from those maps. Style comes from how often colours and textures occur, from
    means and deviations of features at three scales, and from a coarse grid of both.

    Args:
        name_or_path: A shipped foundation (atelier_judge) or a folder.
        random_weights: Take the layout only, and draw the weights from `seed`.
        seed: Used with `random_weights`.
    """

    beginning: ClassVar[frozenset[str]] = frozenset({"random_weights", "seed"})

    def __init__(self, name_or_path: str, random_weights: bool = False, seed: int = 0) -> None:
        super().__init__()
        folder = Path(locate(name_or_path))
        self.config = _read_config(folder, name_or_path)
        self.things: tuple[str, ...] = tuple(self.config["things"])
        self.words: dict[str, tuple[str, ...]] = {
            field: tuple(words) for field, words in self.config["words"].items()
        }
        with drawing_from(seed):
            self.model = _Network(
                self.config["widths"],
                self.config["style_dim"],
                len(self.things),
                {field: len(words) for field, words in self.words.items()},
            )
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if not random_weights:
            _load(self.model, folder / _WEIGHTS)
        self.requires_grad_(False)

    @property
    def image_size(self) -> int:
        """Side of the square that the network sees."""
        return GRID * _CELL

    @property
    def thresholds(self) -> Float[Tensor, " t"]:
        """The probability above which a thing counts as present."""
        return self.model.thresholds

    def judge(self, images: Float[Tensor, "n 3 h w"]) -> Judgement:
        """Look at images in [0, 1]; aspect is ignored."""
        judgement: Judgement = self.model(self._fit(images))
        return judgement

    def embed_style(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Map images in [0, 1] to unit vectors: the features from which all words of style are read."""
        return F.normalize(self.model.style_features(self._fit(images)).float(), dim=-1)

    @torch.no_grad()
    def read(self, images: Float[Tensor, "n 3 h w"], batch_size: int = 128) -> Reading:
        """Read images in [0, 1], of any size and number, `batch_size` at once."""
        was_training = self.training
        self.eval()
        rows = range(0, len(images), batch_size)
        parts = [self._decide(self.judge(images[start : start + batch_size])) for start in rows]
        self.train(was_training)
        presence, counts, centres = (torch.cat(column) for column in list(zip(*parts, strict=True))[:3])
        style = {field: torch.cat([part[3][field] for part in parts]) for field in self.words}
        present = presence > self.thresholds
        return Reading(
            self.things,
            presence,
            present,
            torch.where(present, counts, 0),
            centres,
            self.words,
            style,
        )

    def save(self, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        """Write a folder that this class loads."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            name: (value.to(dtype) if value.is_floating_point() else value).contiguous()
            for name, value in self.model.state_dict().items()
        }
        (folder / "config.json").write_text(json.dumps(self.config, indent=1) + "\n")
        save_file(state, folder / _WEIGHTS)

    def _fit(self, images: Tensor) -> Tensor:
        fitting = resized(images, self.image_size, self.image_size)
        return fitting.contiguous(memory_format=torch.channels_last)

    def _decide(self, judgement: Judgement) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        # Squared, so that faint doubt all over the image does not draw the middle of a thing to its own.
        weight = judgement.cells.float().softmax(1)[:, :-1].square()
        axis = (torch.arange(GRID, device=weight.device) + 0.5) / GRID
        mass = weight.sum((2, 3)).clamp_min(1e-12)
        x, y = (weight.sum(2) * axis).sum(-1) / mass, (weight.sum(3) * axis).sum(-1) / mass
        style = {field: logits.float().softmax(-1) for field, logits in judgement.style.items()}
        counts = judgement.counts.argmax(-1) + 1
        return judgement.presence.float().sigmoid(), counts, torch.stack([x, y], -1), style


class _Network(nn.Module):
    thresholds: Tensor

    def __init__(self, widths: list[int], style_dim: int, num_things: int, num_words: dict[str, int]) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.stem = nn.Sequential(*_convolution(3, fine, 5, 2), _Residual(fine))
        self.to_middle = nn.Sequential(
            *_convolution(fine, middle, 3, 2), _Residual(middle), _Residual(middle)
        )
        self.to_coarse = nn.Sequential(
            *_convolution(middle, coarse, 3, 2), _Residual(coarse), _Residual(coarse)
        )
        self.lateral = nn.Conv2d(coarse, middle, 1)
        self.merged = nn.Sequential(nn.BatchNorm2d(middle), nn.ReLU(), _Residual(middle))
        self.cells = nn.Conv2d(middle, num_things + 1, 1)
        self.centres = nn.Conv2d(middle, 1, 1)
        nn.init.constant_(self.centres.bias, -5.0)  # type: ignore[arg-type]  # a middle is in few cells
        self.context = nn.Linear(coarse, num_things)
        nn.init.zeros_(self.context.weight)
        self.presence_weight = nn.Parameter(torch.tensor([0.0, 1.0, 1.0]).repeat(num_things, 1))
        self.count_sharpness = nn.Parameter(torch.tensor(2.0))
        self.count_bias = nn.Parameter(torch.zeros(MAX_COUNT))
        self.style = _Style(widths, style_dim)
        self.style_words = nn.ModuleDict(
            {field: nn.Linear(style_dim, count) for field, count in num_words.items()}
        )
        self.register_buffer("thresholds", torch.full((num_things,), 0.5))

    def forward(self, images: Tensor) -> Judgement:
        fine, middle, coarse = self._scales(images)
        raised = F.interpolate(self.lateral(coarse), scale_factor=2.0)
        merged = self.merged(middle + raised)
        cells, centres = self.cells(merged).float(), self.centres(merged)[:, 0].float()
        presence = self._presence(cells) + self.context(coarse.mean((2, 3))).float()
        features = self.style(images, fine, middle, coarse)
        style = {field: head(features).float() for field, head in self.style_words.items()}
        return Judgement(cells, centres, presence, self._counts(cells, centres), style)

    def style_features(self, images: Tensor) -> Tensor:
        features: Tensor = self.style(images, *self._scales(images))
        return features

    def _scales(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        fine = self.stem(images - 0.5)
        middle = self.to_middle(fine)
        return fine, middle, self.to_coarse(middle)

    def _presence(self, cells: Tensor) -> Tensor:
        """Weigh, for each thing, its surest cell and the logarithm of how many cells it covers."""
        log_share = cells.log_softmax(1)[:, :-1].flatten(2)
        surest = log_share.amax(-1)
        surest = surest - torch.log1p(-surest.exp().clamp_max(1 - 1e-4))  # log odds
        covered = torch.log(log_share.exp().sum(-1) + 0.05)
        bias, of_surest, of_covered = self.presence_weight.unbind(1)
        return bias + of_surest * surest + of_covered * covered

    def _counts(self, cells: Tensor, centres: Tensor) -> Tensor:
        """Add up the middles that lie in cells of each thing, and compare with one, two and three."""
        of_thing = cells[:, :-1].softmax(1)
        found = torch.einsum("nthw,nhw->nt", of_thing, centres.sigmoid())
        number = torch.arange(1, MAX_COUNT + 1, device=cells.device)
        return self.count_bias - self.count_sharpness * (found[..., None] - number).square()


class _Style(nn.Module):
    """Features of style: how often each kind of texture and colour occurs, and what is roughly where."""

    def __init__(self, widths: list[int], style_dim: int) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.colour = nn.Sequential(nn.Conv2d(3, 32, 1), nn.ReLU(), *_convolution(32, 64, 1, 1))
        self.fine_texture = nn.Sequential(*_convolution(fine, 3 * fine, 1, 1))
        self.middle_texture = nn.Sequential(*_convolution(middle, 2 * middle, 1, 1))
        self.places = nn.Sequential(*_convolution(coarse, 24, 1, 1))
        pooled = 64 + 3 * fine + 2 * middle + 2 * (fine + middle + coarse) + 16 * (24 + 6)
        self.joined = nn.Sequential(nn.BatchNorm1d(pooled), nn.Linear(pooled, style_dim), nn.ReLU())

    def forward(self, images: Tensor, fine: Tensor, middle: Tensor, coarse: Tensor) -> Tensor:
        # Every second pixel each way as it is: an average would mix the colours.
        occurring = (
            self.colour(images[:, :, ::2, ::2] - 0.5),
            self.fine_texture(fine),
            self.middle_texture(middle),
        )
        parts = [kinds.float().mean((2, 3)) for kinds in occurring]
        for features in (fine, middle, coarse):
            parts += [part.flatten(1) for part in _mean_and_deviation(features, 1)]
        # Light and the distribution of colours are about sides.
        parts += [part.flatten(1) for part in _mean_and_deviation(images, 4)]
        parts.append(F.adaptive_avg_pool2d(self.places(coarse).float(), 4).flatten(1))
        joined: Tensor = self.joined(torch.cat(parts, 1))
        return joined


def _mean_and_deviation(features: Tensor, cells: int) -> tuple[Tensor, Tensor]:
    """Pool to cells x cells."""
    values = features.float()
    mean = F.adaptive_avg_pool2d(values, cells)
    square = F.adaptive_avg_pool2d(values.square(), cells)
    return mean, (square - mean.square()).clamp_min(1e-6).sqrt()


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Sequential(*_convolution(width, width, 3, 1))
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        nn.init.zeros_(self.norm.weight)  # begins as the identity

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.norm(self.second(self.first(x))))


def _convolution(inputs: int, outputs: int, size: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU()


def _read_config(folder: Path, name_or_path: str) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    except OSError as error:
        raise missing_weights(name_or_path, error, "atelier_judge") from error
    if lacking := {"things", "words", "widths", "style_dim"} - set(config):
        raise ConfigError(f"{folder} holds no judge: its config.json lacks {', '.join(sorted(lacking))}.")
    return config


def _load(model: nn.Module, path: Path) -> None:
    try:
        state = {name: value.float() if value.is_floating_point() else value
                 for name, value in load_file(path).items()}  # fmt: skip
        model.load_state_dict(state, strict=True)
    except FileNotFoundError as error:
        raise MissingError(f"{path} is missing: train the judge, or take random_weights=true.") from error
    except (SafetensorError, RuntimeError) as error:
        raise ConfigError(
            f"{path} does not hold the weights that its config.json describes: {str(error).splitlines()[-1]}"
        ) from error
