"""What makes pretraining a mini foundation quick, each taken away in turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch

from methods.text_to_image import Alignment, TextToImage
from methods.text_to_image.mini import lay_out
from stylekit.atelier import MINI, draw, sample_scenes, sample_styles
from stylekit.batch import StyleBatch
from stylekit.foundation import generator as generators
from stylekit.foundation.flux import Flux
from stylekit.foundation.siglip import Siglip
from stylekit.muon import MuonWithAdamW
from stylekit.precision import is_bfloat16_slow

pytestmark = [
    pytest.mark.bench,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(is_bfloat16_slow(), reason="the recipe's bfloat16 is not taken on this processor"),
]

BATCH = 64


def test_pretraining(benchmark, keep, interleaved, monkeypatch, tmp_path: Path):
    """Images a second of mini_flux by its recipe, and with one thing taken away."""
    lay_out("mini_flux", tmp_path)
    foundation = Flux(str(tmp_path))
    alignment = Alignment(Siglip("mini_siglip"), "single_transformer_blocks.1", 160)
    method = TextToImage(foundation, style_probability=1.0, alignment=alignment)
    method.start("pretrain")
    optimizer = MuonWithAdamW([one for one in method.parameters() if one.requires_grad], lr=6e-3)
    scenes, styles = sample_scenes(BATCH, 0, repertoire=MINI), sample_styles(BATCH, 0)
    images, ids = draw(scenes, styles, range(BATCH)), torch.arange(BATCH)
    prompts = [style.prompt() for style in styles], [scene.prompt() for scene in scenes]
    kept = StyleBatch(images, ids, ids, *prompts, foundation.encode(images))

    def step(batch: StyleBatch = kept, dtype: torch.dtype = torch.bfloat16) -> None:
        with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
            loss = torch.stack(list(method.losses(batch).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    def with_fused_attention() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(generators, "attention_for", lambda device, image_size: nullcontext())
            step()

    def with_the_pipelines_tokens() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(foundation, "condition", by_the_pipeline)
            step()

    def by_the_pipeline(texts: list[str]) -> dict[str, torch.Tensor]:
        length = foundation.pipeline.tokenizer_2.model_max_length
        embeds, pooled, _ = foundation.pipeline.encode_prompt(texts, None, max_sequence_length=length)
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled}

    arms: dict[str, Callable[[], None]] = {
        "recipe": step,
        "encoding_each_time": lambda: step(kept._replace(latents=None)),
        "fused_attention": with_fused_attention,
        "pipelines_tokens": with_the_pipelines_tokens,
        "float32": lambda: step(dtype=torch.float32),
    }
    seconds = benchmark.pedantic(lambda: interleaved(5, **arms), rounds=1)
    keep(
        "images a second of a training step of mini_flux at batch 64, and with one thing taken away: "
        "medians of interleaved rounds",
        threads=torch.get_num_threads(),
        **{name: round(BATCH / value, 1) for name, value in seconds.items()},
    )
