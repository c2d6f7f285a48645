"""What stylekit costs, against the same work done by hand or by other libraries."""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from stylekit.config import build, compose
from stylekit.training import train

pytestmark = [pytest.mark.bench, pytest.mark.filterwarnings("ignore")]

STEPS = 60
_NOT_CHEAP = {"oil paint", "pastel", "gouache", "embroidery"}  # whole pictures of single strokes


def test_training_step(benchmark, keep, tmp_path):
    """A step of `stylekit train`, tracking on, against a loop over the same batches, losses and optimiser."""
    settings = [
        f"data.cache_dir={tmp_path}",
        "data.source.num_styles=400", "data.source.contents_per_style=4", "data.source.num_contents=400",
        "data.source.held_out_styles=0", "data.source.cache_images=1600", "data.val_styles=0",
        f"stages.sscl.max_steps={STEPS}", "stages.sscl.warmup_steps=0", "stages.sscl.validate_every=0",
        "trainer.enable_progress_bar=false",
    ]  # fmt: skip
    numbers = iter(range(1000))

    def framework(tracking: str) -> float:
        run = train("megastyle_encoder", *settings, tracking, f"runs={tmp_path}/runs{next(numbers)}")
        lines = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
        times = {line["step"]: line["time"] for line in lines if line["step"] is not None}
        first, last = min(times), max(times)
        return (times[last] - times[first]) / (last - first)

    def bare() -> float:
        config = compose("megastyle_encoder", settings)
        torch.manual_seed(0)
        method, data = build(config.values["method"]), build(config.values["data"])
        method.start("sscl")
        learned = [one for one in method.parameters() if one.requires_grad]
        optimizer = torch.optim.AdamW(learned, lr=5e-4, betas=(0.9, 0.98), weight_decay=0.01)
        batches = data.train_batches(seed=0)
        began = 0.0
        for step in range(STEPS):
            if step == 9:  # as the framework's first line is of step 9
                began = time.perf_counter()
            optimizer.zero_grad()
            torch.stack(list(method.losses(batches(step + 1, 0, 1)).values())).sum().backward()
            optimizer.step()
        return (time.perf_counter() - began) / (STEPS - 9)

    arms = {
        "tracked": lambda: framework(f"tracking.uri=sqlite:///{tmp_path}/mlflow.db"),
        "untracked": lambda: framework("tracking=local"),
        "bare": bare,
    }

    def rounds() -> list[dict[str, float]]:
        # Every order once: each arm is first, and follows each other arm, as often as the others.
        return [{name: arms[name]() for name in order} for order in itertools.permutations(arms)]

    found = benchmark.pedantic(rounds, rounds=1)
    ratios = {
        arm: statistics.median(one[arm] / one["bare"] for one in found) for arm in ("tracked", "untracked")
    }
    keep(
        "seconds of a training step, tracked by MLflow and not, over those of a bare loop (bar 1.05): "
        "medians of ratios within a round; seconds of every round",
        ratio=ratios["tracked"],
        untracked_ratio=ratios["untracked"],
        rounds=[{name: round(seconds, 4) for name, seconds in one.items()} for one in found],
    )
    assert ratios["tracked"] <= 1.05  # not tracked it can cost no more: what it shows beside is the noise


def test_cached_batch(benchmark, keep, numbers_of, tmp_path):
    """A batch of 512 at once, and in chunks of 64: time and memory, each in a process of its own."""
    code = """
import sys, time, psutil, torch
from stylekit.run import peak_memory
from methods.megastyle_encoder import MegaStyleEncoder
from stylekit.batch import StyleBatch
from stylekit.foundation.siglip import Siglip
count, chunk = int(sys.argv[1]), int(sys.argv[2]) or None
method = MegaStyleEncoder(Siglip("mini_siglip"), chunk=chunk)
method.start("sscl")
ids = torch.arange(count // 2).repeat_interleave(2)
prompts = [f"In the style of number {i}" for i in ids.tolist()]
batch = StyleBatch(torch.rand(count, 3, 64, 64), ids, ids, prompts, prompts)
before = psutil.Process().memory_info().rss
began = time.perf_counter()
torch.stack(list(method.losses(batch).values())).sum().backward()
seconds = time.perf_counter() - began
print(seconds, peak_memory() - before, peak_memory())
"""

    def measure(count: int, chunk: int) -> tuple[float, ...]:
        return numbers_of(code, str(count), str(chunk))

    def all_of_it():
        pairs = [(measure(512, 0), measure(512, 64)) for _ in range(3)]
        return pairs, measure(8192, 128)

    pairs, large = benchmark.pedantic(all_of_it, rounds=1)
    plain, chunked = (
        [statistics.median(one[i] for one in side) for i in range(3)] for side in zip(*pairs, strict=True)
    )
    keep(
        "a batch of 512 in chunks of 64 over the batch at once: seconds and memory; peak of a batch of 8,192",
        seconds_ratio=chunked[0] / plain[0],
        memory_ratio=chunked[1] / plain[1],
        peak_gb_of_8192=large[2] / 2**30,
    )
    assert large[2] < 8 * 2**30


_RETRIEVAL_MEMORY = """
import sys, psutil, torch
from stylekit.run import peak_memory
which, count = sys.argv[1], 1500
labels = torch.arange(count) % 100
z = torch.nn.functional.normalize(torch.randn(count, 64), dim=1)
if which == "ours":
    from stylekit.metrics import map_full
    work = lambda: map_full(z, labels)
elif which == "torchmetrics":
    from torchmetrics.retrieval import RetrievalMAP
    def work():
        others = ~torch.eye(count, dtype=torch.bool)
        queries = torch.arange(count)[:, None].expand(count, count)[others]
        RetrievalMAP()((z @ z.T + 1.0)[others], (labels[:, None] == labels)[others], indexes=queries)
else:
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import CustomKNN
    calculator = AccuracyCalculator(
        include=("mean_average_precision",), k=None, device=torch.device("cpu"),
        knn_func=CustomKNN(CosineSimilarity()),
    )
    work = lambda: calculator.get_accuracy(z, labels)
before = psutil.Process().memory_info().rss
work()
print(peak_memory() - before)
"""


def test_retrieval(benchmark, keep, numbers_of, interleaved):
    """Average precision of every query, against other libraries on the same embeddings."""
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import CustomKNN
    from sklearn.metrics import average_precision_score
    from torchmetrics.retrieval import RetrievalMAP

    from stylekit.metrics import map_full

    count = 1500
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 100
    centres = torch.randn(100, 64, generator=generator)
    noise = torch.randn(count, 64, generator=generator)
    z = torch.nn.functional.normalize(centres[labels] + 1.5 * noise, dim=1)
    others = ~torch.eye(count, dtype=torch.bool)
    calculator = AccuracyCalculator(
        include=("mean_average_precision",),
        k=None,
        device=torch.device("cpu"),
        knn_func=CustomKNN(CosineSimilarity()),
    )
    values: dict[str, float] = {}

    def ours() -> None:
        values["ours"] = map_full(z, labels).mean().item()

    def torchmetrics() -> None:
        scores = (z @ z.T + 1.0)[others]  # a score of 0 or less never counts as found there
        same = (labels[:, None] == labels)[others]
        queries = torch.arange(count)[:, None].expand(count, count)[others]
        values["torchmetrics"] = RetrievalMAP()(scores, same, indexes=queries).item()

    def metric_learning() -> None:
        found = calculator.get_accuracy(z, labels)
        values["metric_learning"] = float(found["mean_average_precision"])

    def measure() -> dict[str, float]:
        return interleaved(3, ours=ours, torchmetrics=torchmetrics, metric_learning=metric_learning)

    memory = {
        name: numbers_of(_RETRIEVAL_MEMORY, name)[0] for name in ("ours", "torchmetrics", "metric_learning")
    }
    seconds = benchmark.pedantic(measure, rounds=1)
    scores = (z @ z.T).numpy()
    expected = statistics.fmean(
        average_precision_score((labels == labels[i])[others[i]].numpy(), scores[i][others[i].numpy()])
        for i in range(0, count, 10)
    )
    sample = map_full(z, labels)[::10].mean().item()
    keep(
        "full average precision of 1,500 queries: seconds and memory of other libraries over ours",
        torchmetrics_over_ours=seconds["torchmetrics"] / seconds["ours"],
        metric_learning_over_ours=seconds["metric_learning"] / seconds["ours"],
        difference_to_scikit_learn=abs(sample - expected),
        torchmetrics_memory_over_ours=memory["torchmetrics"] / memory["ours"],
        metric_learning_memory_over_ours=memory["metric_learning"] / memory["ours"],
        difference_to_torchmetrics=abs(values["ours"] - values["torchmetrics"]),
        difference_to_metric_learning=abs(values["ours"] - values["metric_learning"]),
    )
    assert abs(sample - expected) < 1e-5
    assert abs(values["ours"] - values["torchmetrics"]) < 1e-5
    assert abs(values["ours"] - values["metric_learning"]) < 1e-5


def test_atelier(benchmark, keep, interleaved):
    """Images a second and core at 64 pixels, medium by medium."""
    from stylekit.atelier import draw, sample_scenes, sample_styles
    from stylekit.atelier.style_words import MEDIA

    scenes = sample_scenes(128, seed=0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)

    def paint(medium: str):
        styles = sample_styles(128, seed=0, medium=medium)
        return lambda: draw(scenes, styles, list(range(128)), 64)

    try:
        seconds = benchmark.pedantic(
            lambda: interleaved(7, **{medium: paint(medium) for medium in MEDIA}), rounds=1
        )
    finally:
        torch.set_num_threads(threads)
    speeds = {medium: round(128 / value) for medium, value in seconds.items()}
    keep("images a second on one core, 64 px, batches of 128", **speeds)
    assert min(speeds.values()) >= 30
    assert min(speeds[medium] for medium in {*MEDIA} - _NOT_CHEAP) >= 300


def test_command_line(benchmark, keep, interleaved):
    """Seconds until `stylekit --help` and `stylekit list` have answered, over those of Python itself."""

    def run(*words: str):
        return lambda: subprocess.run([sys.executable, *words], capture_output=True, check=True)

    command = str(Path(sys.executable).with_name("stylekit"))
    found = benchmark.pedantic(
        lambda: interleaved(
            7, python=run("-c", "pass"), help=run(command, "--help"), list=run(command, "list")
        ),
        rounds=1,
    )
    keep(
        "seconds of the command line",
        help=found["help"],
        list=found["list"],
        help_over_python=found["help"] / found["python"],
        list_over_python=found["list"] / found["python"],
    )
    assert max(found["help"], found["list"]) < 0.5
