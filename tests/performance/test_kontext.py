"""Our training step beside diffusers' LoRA script for FLUX.1 Kontext: the same loss, and what each costs."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest
import torch

from methods.megastyle_flux import MegaStyleFlux
from stylekit.batch import PairBatch
from stylekit.exporting import export
from stylekit.foundation.flux import Flux
from stylekit.precision import is_bfloat16_slow
from tests.performance import bench_table
from tests.performance.kontext_loop import Draw, KontextLoop, mean_error, places

STEPS, FIRST = 30, 9  # the framework's first line is of step 9
ROUNDS = 3
SETTINGS = {"batch_1": (1, "float32"), "batch_16": (16, "float32"), "batch_16_bfloat16": (16, "bfloat16")}
ARMS = ("ours_cached", "theirs_cached", "ours_uncached", "theirs_uncached")

_OURS = """
import json, sys, torch
from stylekit.run import peak_memory
from stylekit.training import train
run = train("megastyle_flux", *sys.argv[3:])
lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
times = {line["step"]: line["time"] for line in lines if line["step"] is not None}
first, last = min(times), max(times)
assert (first, last) == (int(sys.argv[2]), int(sys.argv[1]) - 1)
print((times[last] - times[first]) / (last - first), torch.cuda.max_memory_allocated() or peak_memory())
"""

_THEIRS = """
import sys, torch
from pathlib import Path
from stylekit.config import build, compose
from stylekit.run import peak_memory
from tests.performance.kontext_loop import KontextLoop
config = compose("megastyle_flux", sys.argv[4:])
torch.manual_seed(0)
data, method = build(config.values["data"]), build(config.values["method"])
method.start("paired")
is_mixed = config.values["trainer"]["precision"] == "bf16-mixed"
loop = KontextLoop(method.foundation, method.adapter, 1e-3, "bf16" if is_mixed else "no")
steps, first = int(sys.argv[1]), int(sys.argv[2])
seconds = loop.train(data.train_dataloader(), steps, first)
memory = torch.cuda.max_memory_allocated() or peak_memory()
loop.save(Path(sys.argv[3]))
print(seconds, memory)
"""


@pytest.fixture
def method(random_flux: Flux) -> MegaStyleFlux:
    method = MegaStyleFlux(random_flux, rank=4, flip_probability=0.0, crop_probability=0.0)
    method.start("paired")
    for name in method.learned:
        torch.nn.init.normal_(method.get_parameter(name), std=0.05)  # B's begin at nothing
    return method


@pytest.fixture
def batch(random_flux: Flux) -> PairBatch:
    torch.manual_seed(0)
    images = torch.rand(2, 3, 3, 64, 64)
    prompts = ["A cat on the grass.", "A house in the snow.", "Two trees on a table."]
    latents = [random_flux.encode(one) for one in images]
    return PairBatch(images[0], images[1], torch.arange(3), ["style"] * 3, prompts, *latents)


def gradients(method: MegaStyleFlux, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    found = torch.autograd.grad(loss, [method.get_parameter(name) for name in sorted(method.learned)])
    return dict(zip(sorted(method.learned), found, strict=True))


def test_both_compute_the_same_loss_and_gradients_from_the_same_draw_and_places(
    method: MegaStyleFlux, batch: PairBatch
) -> None:
    torch.manual_seed(5)
    ours = method.losses(batch)["flow"]
    torch.manual_seed(5)
    drawn = torch.randint(1000, (3,))
    draw = Draw(torch.randn_like(batch.latents), method.levels[drawn], method.weights[drawn])
    text = method.foundation.condition(batch.content_prompts)

    def theirs(img_ids: torch.Tensor) -> torch.Tensor:
        latents = batch.latents, batch.reference_latents
        return mean_error(method.foundation.denoiser, *latents, text, draw, img_ids)

    beside = theirs(places(batch.latents, first=0.0, shift=8))
    torch.testing.assert_close(beside, ours, rtol=1e-5, atol=0.0)
    found, expected = gradients(method, beside), gradients(method, ours)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, atol=1e-5, rtol=1e-3)
    assert not torch.allclose(theirs(places(batch.latents)), ours, rtol=1e-4)


def test_the_reference_encodes_as_ours_and_draws_levels_of_its_scheduler(
    method: MegaStyleFlux, batch: PairBatch
) -> None:
    loop = KontextLoop(method.foundation, method.adapter, learning_rate=1e-3)
    with torch.no_grad():
        pixels = loop._encoded(batch._replace(latents=None, reference_latents=None))
    torch.testing.assert_close(pixels, (batch.latents, batch.reference_latents), atol=1e-5, rtol=1e-4)
    draw = loop.draw(batch.latents)
    assert bool(torch.isin(draw.sigmas, method.foundation.pipeline.scheduler.sigmas).all())
    assert draw.weights.tolist() == [1.0] * 3


def test_the_reference_learns_the_lora_alone_and_keeps_it(
    method: MegaStyleFlux, batch: PairBatch, tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in method.state_dict().items()}
    loop = KontextLoop(method.foundation, method.adapter, learning_rate=1e-3)
    loop.train([batch] * 2, num_steps=2, first=0)
    after = method.state_dict()
    assert {name for name, value in before.items() if not torch.equal(value, after[name])} == method.learned
    loop.save(tmp_path)
    learned = sum(after[name].numel() for name in method.learned)
    assert learned * 4 < (tmp_path / "pytorch_lora_weights.safetensors").stat().st_size < learned * 5
    assert (tmp_path / "optimizer.bin").stat().st_size > learned * 8
    assert not list(tmp_path.glob("model*")), "the frozen weights are not written"


def test_rows_of_the_table_say_how_many_times_the_images_a_second_and_what_is_written() -> None:
    one = {"ours_cached": 0.5, "theirs_cached": 1.0, "ours_uncached": 2.0, "theirs_uncached": 1.0}
    memory = {"ours_cached": 1.5, "theirs_cached": 1.0, "ours_uncached": 3.0, "theirs_uncached": 2.5}
    names = ("learned", "exported", "position", "script_adapter", "script_state")
    sizes = {name: number * 10**6 for number, name in enumerate(names, start=1)}
    rounds = {name: [one, one | {"ours_cached": 0.25}] for name in SETTINGS}
    rows = bench_table.kontext_rows({"rounds": rounds, "memory_gb": memory, "bytes": sizes})
    values = [value for _, value in rows]
    places = ("at batch 1", "at batch 16", "in bfloat16")
    for value, ratio in zip(values, ("3.00 {} (2.00 to 4.00)", "0.50 {} (0.50 to 0.50)"), strict=False):
        assert value == f"{', '.join(map(ratio.format, places))} times the images a second"
    assert values[2].startswith("6.00 at batch 1 (4.00 to 8.00), ")
    assert values[3] == "1.50 times (1.50 GB), 1.20 times (3.00 GB) where it encodes in every step"
    assert values[4] == "1.00, 2.00 and 3.00 MB; 4.00 and 5.00 MB"


@pytest.mark.bench
@pytest.mark.skipif(is_bfloat16_slow(), reason="the recipe's bfloat16 is not taken on this processor")
@pytest.mark.filterwarnings("ignore")
def test_kontext_lora(benchmark, keep, numbers_of, tmp_path):
    """`stylekit train megastyle_flux` and the script's computation, with encodings kept and made anew.

    Model, data, LoRA and norm of gradients are the same; every measurement is a process of its own.
    """
    common = [
        f"data.cache_dir={tmp_path}/cache",
        "data.source.num_styles=200", "data.source.num_contents=200", "data.source.held_out_styles=0",
        "data.source.cache_images=600", "data.val_styles=0",
        "method.flip_probability=0.0", "method.crop_probability=0.0",  # the script augments nothing
        "stages.paired.ema_decay=null", "stages.paired.warmup_steps=0", "stages.paired.validate_every=0",
        f"stages.paired.max_steps={STEPS}", f"stages.paired.checkpoint_every={STEPS}",
        "stages.paired.schedule=constant",
        "stages.paired.optimizer={_target_: torch.optim.AdamW, _partial_: true, lr: 1.0e-3}",
        "tracking=local", "trainer.enable_progress_bar=false",
    ]  # fmt: skip

    def measure(arm: str, setting: str, number: int) -> tuple[float, ...]:
        who, _, encodings = arm.partition("_")
        count, dtype = SETTINGS[setting]
        reader = (
            f"{{_target_: stylekit.foundation.flux.FluxPrompts, name_or_path: mini_flux, dtype: {dtype}}}"
        )
        overrides = [
            *common,
            f"runs={tmp_path}/{setting}/{arm}_{number}",
            f"data.styles_per_batch={count}",
            f"foundation.dtype={dtype}",
            f"trainer.precision={'32-true' if dtype == 'float32' else 'bf16-mixed'}",
            f"data.prompt_encoder={reader if encodings == 'cached' else 'null'}",
            *(["data.encoder=null"] if encodings == "uncached" else []),
        ]
        if who == "ours":
            return numbers_of(_OURS, str(STEPS), str(FIRST), *overrides)
        return numbers_of(_THEIRS, str(STEPS), str(FIRST), f"{tmp_path}/{setting}/script", *overrides)

    def all_of_it() -> dict[str, list[dict[str, tuple[float, ...]]]]:
        found = {}
        for setting in SETTINGS:
            measure("ours_cached", setting, 0)  # fills the caches
            found[setting] = [
                {arm: measure(arm, setting, number) for arm in (ARMS if number % 2 else ARMS[::-1])}
                for number in range(1, ROUNDS + 1)
            ]
        return found

    found = benchmark.pedantic(all_of_it, rounds=1)
    (learned,) = (tmp_path / "batch_16" / "ours_cached_1").rglob("paired/learned.ckpt")
    exported, _ = export(learned.parents[2], out=tmp_path / "exported").files
    script = tmp_path / "batch_16" / "script"
    keep(
        "seconds of a training step of megastyle_flux and of what diffusers' LoRA script for FLUX.1 Kontext "
        "computes, on the same model, data and LoRA, latents and prompts encoded once (cached) or in every "
        "step, in every round; peak memory of the process at batch 16, medians; bytes of what each writes",
        threads=torch.get_num_threads(),
        rounds={
            setting: [{arm: round(values[0], 4) for arm, values in one.items()} for one in rounds]
            for setting, rounds in found.items()
        },
        memory_gb={
            arm: round(statistics.median(one[arm][1] for one in found["batch_16"]) / 2**30, 3) for arm in ARMS
        },
        bytes={
            "learned": learned.stat().st_size,
            "exported": exported.stat().st_size,
            "position": learned.with_name(f"step={STEPS:08d}.ckpt").stat().st_size,
            "script_adapter": (script / exported.name).stat().st_size,
            "script_state": sum(path.stat().st_size for path in script.iterdir()),
        },
    )
