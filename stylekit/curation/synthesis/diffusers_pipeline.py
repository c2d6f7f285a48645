"""Any text-to-image pipeline of diffusers as the generator."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from stylekit.bounds import Positive, bounded
from stylekit.curation.batches import in_batches
from stylekit.curation.failure import Failure
from stylekit.curation.synthesis.synthesizer import Synthesizer
from stylekit.errors import ConfigError
from stylekit.foundation.diffusers_loading import load_pipeline
from stylekit.foundation.generator import Dtype
from stylekit.foundation.locate import locate, weight_files

__all__ = ["DiffusersPipeline"]

_OURS = ("prompt", "generator", "output_type", "num_images_per_prompt", "return_dict")


@final
class DiffusersPipeline(Synthesizer):
    """A pipeline by hub name, folder or shipped name, loaded on first use to the worker's first device.

    All random numbers of an image come from its own generator, on the CPU. What is left of its batch are
    rounding errors: in float32 they do not show, in bfloat16 they may.

    Args:
        name_or_path: A shipped foundation, a folder, or a hub name.
        revision: Branch, tag or commit of a hub name.
        dtype: Of the weights in memory.
        batch_size: Images at once; fewer where memory runs out.
        settings: Arguments of the pipeline's call, as num_inference_steps, height and negative_prompt.
        device: Where it runs; null for CUDA where there is any.
    """

    @bounded
    def __init__(
        self,
        name_or_path: str,
        revision: str | None = None,
        dtype: Dtype = "bfloat16",
        batch_size: Positive = 4,
        settings: Mapping[str, Any] | None = None,
        device: str | None = None,
    ) -> None:
        self.name_or_path, self.revision, self.dtype = name_or_path, revision, dtype
        self.batch_size, self.settings, self.device = batch_size, dict(settings or {}), device
        self._pipeline: Any = None

    def files(self) -> list[Path]:
        return weight_files(self.name_or_path)

    def draw(self, prompts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image | Failure]:
        """Run the pipeline, batch by batch."""
        return in_batches(self._draw, list(zip(prompts, seeds, strict=True)), self.batch_size)

    def _draw(self, items: Sequence[tuple[str, int]]) -> list[Image.Image | Failure]:
        pipeline = self._ready()
        # some pipelines take one negative prompt for one image only
        settings = {
            key: [value] * len(items)
            if key.startswith("negative_prompt") and isinstance(value, str)
            else value
            for key, value in self.settings.items()
        }
        made = pipeline(
            prompt=[prompt for prompt, _ in items],
            generator=[torch.Generator().manual_seed(seed) for _, seed in items],
            output_type="np",
            **settings,
        )
        flags = getattr(made, "nsfw_content_detected", None) or [False] * len(items)
        return [_picture(pixels, flag) for pixels, flag in zip(made.images, flags, strict=True)]

    def _ready(self) -> Any:
        if self._pipeline is None:
            where, dtype = locate(self.name_or_path), getattr(torch, self.dtype)
            self._pipeline = load_pipeline(
                DiffusionPipeline,
                where,
                self.name_or_path,
                "atelier_drawings",
                self.revision,
                dtype,
                parts={},
                group="generator",
            )
            self._check_settings()
            self._pipeline.set_progress_bar_config(disable=True)
            self._pipeline.to(self.device or ("cuda" if torch.cuda.is_available() else "cpu"))
        return self._pipeline

    def _check_settings(self) -> None:
        taken = [name for name in inspect.signature(self._pipeline.__call__).parameters if name not in _OURS]
        kind = type(self._pipeline).__name__
        if unknown := [name for name in self.settings if name not in taken]:
            raise ConfigError(
                f"generator.settings: {kind} takes no {', '.join(unknown)}. It takes {', '.join(taken)}."
            )

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_pipeline": None}  # each worker loads its own


def _picture(pixels: np.ndarray[Any, Any], is_flagged: bool) -> Image.Image | Failure:
    if is_flagged:
        return Failure("flagged by the safety checker", "The pipeline blacked the image out.")
    if not np.isfinite(pixels).all():
        return Failure("not finite", "The pipeline returned values that are no numbers; try dtype=bfloat16.")
    return Image.fromarray((pixels.clip(0.0, 1.0) * 255).round().astype(np.uint8))
