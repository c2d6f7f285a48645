"""The README's table of measurements, from results/bench.json: `python tests/performance/bench_table.py`."""

from __future__ import annotations

import json
import re
import statistics
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "bench.json"
README = Path(__file__).parents[2] / "README.md"
_BLOCK = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- end -->)", re.DOTALL)
_PLACES = {"batch_1": "at batch 1", "batch_16": "at batch 16", "batch_16_bfloat16": "in bfloat16"}
_NOT_MEDIA = {"what", "date", "environment"}


def table(found: dict[str, dict[str, Any]]) -> str:
    """Lay the measurements out, each beside what it is measured against."""
    step, batch, retrieval = found["training_step"], found["cached_batch"], found["retrieval"]
    speeds = {medium: speed for medium, speed in found["atelier"].items() if medium not in _NOT_MEDIA}
    slowest = min(speeds, key=speeds.__getitem__)
    command, pretraining = found["command_line"], found["pretraining"]
    rows = [
        ("training step, tracked by MLflow, over a bare torch loop", _spread(step, "tracked", "ratio")),
        (
            f"the same not tracked (the bare loop itself varied by {_variation(step):.0f} % between rounds)",
            _spread(step, "untracked", "untracked_ratio"),
        ),
        (
            "batch of 512 with exact gradients in chunks of 64, over the batch at once",
            f"{batch['seconds_ratio']:.2f} times the time, {batch['memory_ratio']:.2f} times the memory",
        ),
        ("batch of 8,192 on one device, in chunks of 128", f"{batch['peak_gb_of_8192']:.1f} GB at most"),
        (
            "average precision of 1,500 queries: torchmetrics over ours",
            f"{retrieval['torchmetrics_over_ours']:.1f} times the time, "
            f"{retrieval['torchmetrics_memory_over_ours']:.1f} times the memory",
        ),
        (
            "the same: pytorch-metric-learning over ours",
            f"{retrieval['metric_learning_over_ours']:.1f} times the time, "
            f"{retrieval['metric_learning_memory_over_ours']:.1f} times the memory",
        ),
        (
            "images of the atelier a second and core, 64 px",
            f"{statistics.median(speeds.values()):.0f} (median medium), {speeds[slowest]} ({slowest})",
        ),
        (
            "images a second of pretraining mini_flux; encoding each time, with fused attention, in float32, "
            "with the pipeline's own tokens",
            f"{pretraining['recipe']:.0f}; {pretraining['encoding_each_time']:.0f}, "
            f"{pretraining['fused_attention']:.0f}, {pretraining['float32']:.0f}, "
            f"{pretraining['pipelines_tokens']:.0f}",
        ),
        *(kontext_rows(found["kontext_lora"]) if "kontext_lora" in found else []),
        *(stylegallery_rows(found["stylegallery"]) if "stylegallery" in found else []),
        ("`stylekit --help`, `stylekit list`", f"{command['help']:.2f} s, {command['list']:.2f} s"),
    ]
    lines = ["| what | measured |", "| --- | --- |", *(f"| {what} | {value} |" for what, value in rows)]
    return "\n" + "\n".join(lines) + "\n\n"


def stylegallery_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Lay out StyleGallery's optimisation beside the plain order of its steps, and how it grows."""
    seconds, ratios = found["seconds"], found["plain_over_ours"]
    memory = {who: peak / 1e9 for who, peak in found["peak_bytes"].items()}
    times = ", ".join(f"{ratio:.1f} with {count}" for count, ratio in ratios.items())
    grows = ", ".join(f"{seconds[f'ours_{count}']:.1f} with {count}" for count in ratios)
    steps = {
        name.removeprefix("steps_"): value for name, value in seconds.items() if name.startswith("steps_")
    }
    return [
        (
            "StyleGallery on mini_sd, the plain order of its steps over ours, by number of references",
            f"{times} times the time; peak memory {memory['plain']:.2f} GB, ours {memory['ours']:.2f} GB",
        ),
        (
            "seconds an image there: 50 steps by references; one reference by steps",
            f"{grows}; {', '.join(f'{value:.1f} in {count}' for count, value in steps.items())}",
        ),
    ]


def kontext_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Lay out our training step beside what diffusers' LoRA script for FLUX.1 Kontext computes."""
    rounds, gigabytes = found["rounds"], found["memory_gb"]
    sizes = {name: f"{value / 1e6:.2f}" for name, value in found["bytes"].items()}

    def memory(encodings: str) -> str:
        ours, theirs = gigabytes[f"ours_{encodings}"], gigabytes[f"theirs_{encodings}"]
        return f"{ours / theirs:.2f} times ({ours:.2f} GB)"

    return [
        (
            "training step of megastyle_flux, latents and prompts kept, over what diffusers' LoRA script for "
            "FLUX.1 Kontext computes on the same",
            _times_the_images(rounds, "theirs_cached", "ours_cached"),
        ),
        (
            "the same where both encode in every step",
            _times_the_images(rounds, "theirs_uncached", "ours_uncached"),
        ),
        (
            "that step with latents and prompts kept, over encoding in every step",
            _times_the_images(rounds, "ours_uncached", "ours_cached"),
        ),
        (
            "peak memory of the process over the script's, batch 16",
            f"{memory('cached')}, {memory('uncached')} where it encodes in every step",
        ),
        (
            "files of that LoRA: what was learned, exported, to go on from; the script's adapter, and all of "
            "its checkpoint",
            f"{sizes['learned']}, {sizes['exported']} and {sizes['position']} MB; "
            f"{sizes['script_adapter']} and {sizes['script_state']} MB",
        ),
    ]


def _times_the_images(rounds: dict[str, list[dict[str, float]]], slow: str, fast: str) -> str:
    """Say how many times the images a second `fast` has, with the range over the rounds."""
    parts = []
    for setting, place in _PLACES.items():
        ratios = [one[slow] / one[fast] for one in rounds[setting]]
        parts.append(f"{statistics.median(ratios):.2f} {place} ({min(ratios):.2f} to {max(ratios):.2f})")
    return f"{', '.join(parts)} times the images a second"


def _variation(step: dict[str, Any]) -> float:
    """Say by how many percent the slowest round of the bare loop exceeds the fastest."""
    seconds: list[float] = [one["bare"] for one in step["rounds"]]
    return 100.0 * (max(seconds) / min(seconds) - 1.0)


def _spread(step: dict[str, Any], ours: str, key: str) -> str:
    ratios = [one[ours] / one["bare"] for one in step["rounds"]]
    return f"{step[key]:.2f} times the time ({min(ratios):.2f} to {max(ratios):.2f} within a round)"


def block(page: str) -> str:
    """Return the table that the page holds now."""
    (found,) = _BLOCK.findall(page)
    return str(found)


if __name__ == "__main__":
    made = table(json.loads(RESULTS.read_text()))
    README.write_text(_BLOCK.sub(lambda _: made, README.read_text()))
