"""The contract of a style method: what a plug-in implements and the framework calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, TypeVar, final

import torch
from jaxtyping import Float, Int
from lightning.pytorch import LightningModule
from torch import Tensor

from stylekit.errors import ConfigError
from stylekit.reading import Reading
from stylekit.stage import Optimization, Stage

if TYPE_CHECKING:
    from stylekit.foundation.generator import Generator

__all__ = [
    "AdapterRenderer",
    "ExplainingRenderer",
    "Explanation",
    "ImageTextEncoder",
    "Need",
    "RegionRenderer",
    "SceneReader",
    "StyleEncoder",
    "StyleMethod",
    "StyleRenderer",
    "check_rows",
    "learned_names",
]

StyleT = TypeVar("StyleT")
Need = Literal["prompt", "content", "video"]


class StyleMethod(LightningModule, ABC):
    """A method that learns in named stages, or in none.

    A subclass holds modules and mathematics only. Logging, optimisers, schedules, devices and files belong
    to the framework.
    """

    stages: ClassVar[tuple[str, ...]] = ()
    """The stages in order, one `Trainer.fit` each; empty for a training-free method."""
    settled: ClassVar[frozenset[str]] = frozenset()
    """Settings without which what was learned is of no use: others are refused where it is loaded."""

    def __init__(self) -> None:
        super().__init__()
        # A checkpoint holds only what was learned; `on_load_checkpoint` accounts for every key itself.
        self.strict_loading = False
        self._learned: set[str] = set()
        self._stage: tuple[str, Stage] | None = None

    def enter(self, stage: str) -> None:
        """Choose what the stage learns: freeze, unfreeze, attach adapters. Called before each fit."""
        raise NotImplementedError(f"{type(self).__name__} names stages but does not say what they learn.")

    def losses(self, batch: Any) -> dict[str, Tensor]:
        """Return the loss terms, already weighted, under the names to log. Their sum is minimised."""
        raise NotImplementedError(f"{type(self).__name__} names stages but has no losses.")

    @property
    @final
    def learned(self) -> frozenset[str]:
        """Names in the state dict of all that was learned in the stages entered so far."""
        return frozenset(self._learned)

    @final
    def start(self, stage: str, settings: Stage | None = None) -> None:
        """Enter a stage and remember what it learns. Without settings it can be loaded but not trained."""
        if stage not in self.stages:
            raise ConfigError(
                f"{type(self).__name__} has no stage '{stage}'; it has: {', '.join(self.stages) or 'none'}."
            )
        self.enter(stage)
        self._learned |= learned_names(self)
        self._stage = (stage, settings) if settings is not None else None

    @final
    def configure_optimizers(self) -> Optimization:
        assert self._stage is not None, "start(stage, settings) comes before fit"
        return self._stage[1].optimize(self.parameters())

    @final
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self._log_losses("train", self.losses(batch), len(batch[0]))

    @final
    def validation_step(self, batch: Any, batch_idx: int) -> Tensor:
        # The same noise at every validation, so that the curve shows the weights and not the draw.
        with torch.random.fork_rng(devices=[] if self.device.type == "cpu" else None):
            torch.manual_seed(batch_idx)
            return self._log_losses("val", self.losses(batch), len(batch[0]))

    @final
    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["state_dict"]
        if state:  # sharded strategies keep the weights elsewhere
            checkpoint["state_dict"] = {name: state[name] for name in sorted(self._learned)}

    @final
    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.account_for(checkpoint["state_dict"])

    @final
    def account_for(self, names: dict[str, Any]) -> None:
        """Refuse a checkpoint that lacks a learned name or brings one that was never learned."""
        missing, unexpected = sorted(self._learned - set(names)), sorted(set(names) - self._learned)
        if missing or unexpected:
            raise ConfigError(
                f"The checkpoint does not fit {type(self).__name__} as it is configured.\n"
                f"  missing: {_some(missing)}\n  unexpected: {_some(unexpected)}\n"
                "Build the method with the config that the checkpoint was trained with."
            )

    def _log_losses(self, prefix: str, terms: dict[str, Tensor], batch_size: int) -> Tensor:
        total = torch.stack(list(terms.values())).sum()
        logged = {f"{prefix}/{name}": value.detach() for name, value in terms.items()}
        logged[f"{prefix}/loss"] = total.detach()
        self.log_dict(logged, batch_size=batch_size, sync_dist=prefix == "val")
        return total


class StyleEncoder(StyleMethod):
    """A method that maps an image to a vector whose direction is its style."""

    @abstractmethod
    def embed(self, images: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n d"]:
        """Map RGB images in [0, 1], of any size, to unit vectors."""


class SceneReader(StyleEncoder):
    """An encoder that also reads what an image shows."""

    @abstractmethod
    def read(self, images: Float[Tensor, "n 3 h w"]) -> Reading:
        """Read RGB images in [0, 1], of any size."""


class ImageTextEncoder(StyleEncoder):
    """A style encoder that maps texts to where the images are that they describe."""

    @abstractmethod
    def embed_texts(self, texts: Sequence[str]) -> Float[Tensor, "n d"]:
        """Map texts to unit vectors."""


class StyleRenderer(StyleMethod, Generic[StyleT]):
    """A method that extracts a style once and renders it many times."""

    needs: ClassVar[frozenset[Need]] = frozenset()
    """What `render` cannot do without; checked before weights load."""
    uses_seed: ClassVar[bool] = True
    """Whether an image depends on its seed; False where nothing is drawn at random."""
    renders_together: ClassVar[bool] = True
    """Whether rows rendered at once take less time than one after another."""
    uses_references: ClassVar[bool] = True
    """Whether `extract` looks at what it is given; False for what others are compared with."""

    @abstractmethod
    def extract(self, references: Float[Tensor, "n 3 h w"]) -> StyleT:
        """Take the style of one or several reference images of one style.

        It may be kept on disk: None, tensors, or lists, tuples and dictionaries of these.
        """

    @abstractmethod
    def render(
        self,
        style: StyleT,
        prompt: Sequence[str],
        content: Float[Tensor, "n 3 h2 w2"] | None,
        seed: Sequence[int],
    ) -> Float[Tensor, "n 3 h w"] | Float[Tensor, "n t 3 h w"]:
        """Render images or frames in [0, 1], every random number drawn from the row's own seed."""


def check_rows(prompts: Sequence[str], seeds: Sequence[int]) -> None:
    """Refuse to render nothing, and prompts that are not one for each seed."""
    if not len(prompts) or len(prompts) != len(seeds):
        raise ConfigError(f"Give one prompt for each seed, not {len(prompts)} for {len(seeds)}.")


class Explanation(NamedTuple):
    """How one image came about, for its user to look at."""

    pictures: Mapping[str, Float[Tensor, "3 h w"]]
    """In [0, 1], by name."""
    facts: Mapping[str, Any]
    """What JSON can hold, by name."""
    curves: Mapping[str, Sequence[float]]
    """What was minimised, step by step."""
    sources: Int[Tensor, "h w"] | None = None
    """For each cell of the content the reference that it takes its style from, from 1; 0 for none."""


class ExplainingRenderer(StyleRenderer[StyleT]):
    """A renderer that can tell how each of its images came about."""

    @abstractmethod
    def render_explained(
        self,
        style: StyleT,
        prompt: Sequence[str],
        content: Float[Tensor, "n 3 h2 w2"] | None,
        seed: Sequence[int],
    ) -> tuple[Float[Tensor, "n 3 h w"], list[Explanation]]:
        """Render as `render` does, and explain each image."""

    @final
    def render(
        self,
        style: StyleT,
        prompt: Sequence[str],
        content: Float[Tensor, "n 3 h2 w2"] | None,
        seed: Sequence[int],
    ) -> Float[Tensor, "n 3 h w"]:
        return self.render_explained(style, prompt, content, seed)[0]


class RegionRenderer(ExplainingRenderer[StyleT]):
    """A renderer that takes images apart into regions, and gives each region a style of its own."""

    @abstractmethod
    def find_regions(self, images: Float[Tensor, "n 3 h w"]) -> Int[Tensor, "n h2 w2"]:
        """Number the region of every cell of each image, from 1."""


class AdapterRenderer(StyleRenderer[StyleT]):
    """A renderer that learns a LoRA of peft in the denoiser of its foundation, and nothing else."""

    adapter: ClassVar[str]
    """The name under which peft keeps it."""
    foundation: Generator
    """Without the LoRA until a stage is entered."""


def learned_names(module: torch.nn.Module) -> set[str]:
    """Name the parameters that require gradients, and the saved buffers of the modules that own them."""
    saved = set(module.state_dict())
    names: set[str] = set()
    for prefix, child in module.named_modules():
        own = dict(child.named_parameters(recurse=False))
        if any(parameter.requires_grad for parameter in own.values()):
            held = [name for name, parameter in own.items() if parameter.requires_grad]
            held += [name for name, _ in child.named_buffers(recurse=False)]
            names |= {f"{prefix}.{name}" if prefix else name for name in held}
    return names & saved


def _some(names: list[str], limit: int = 8) -> str:
    shown = ", ".join(names[:limit]) or "nothing"
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
