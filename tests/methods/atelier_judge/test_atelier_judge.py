"""Truth is what the prompts and maps say, and every loss teaches what it is there to teach."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from methods.atelier_judge import AtelierJudge
from methods.atelier_judge.degradation import degrade
from methods.atelier_judge.mini_judge import equal_error_thresholds, lay_out
from methods.atelier_judge.truth import centre_density, read_prompts
from stylekit.atelier import MINI, sample_scenes, sample_styles
from stylekit.batch import SceneBatch
from stylekit.errors import ConfigError
from stylekit.foundation.judge import AtelierJudge as JudgeNetwork


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lay_out(tmp_path, widths=(4, 8, 8), style_dim=8)
    return tmp_path


@pytest.fixture
def method(folder: Path) -> AtelierJudge:
    return AtelierJudge(JudgeNetwork(str(folder), random_weights=True))


@pytest.fixture
def batch() -> SceneBatch:
    generator = torch.Generator().manual_seed(0)
    covering = torch.full((4, 16, 16), -1)
    covering[:, 2:6, 2:6], covering[:, 9:12, 9:12] = 3, 7
    return SceneBatch(
        torch.rand(4, 3, 64, 64, generator=generator),
        torch.arange(4),
        torch.arange(4),
        [style.prompt() for style in sample_styles(4, 0)],
        [scene.prompt() for scene in sample_scenes(4, 0, repertoire=MINI)],
        covering,
        torch.where(covering == 3, 0, torch.where(covering == 7, 1, -1)),
    )


def test_prompts_become_counts_and_words() -> None:
    style = sample_styles(1, 0)[0]
    words = {"medium": ("x", style.medium), "light": (style.light, "y")}
    truth = read_prompts(
        ["Two cats left of a dog on the grass."], [style.prompt()], ("dog", "star", "cat"), words
    )
    assert truth.counts.tolist() == [[1, 0, 2]]
    assert {field: index.tolist() for field, index in truth.style.items()} == {"medium": [1], "light": [0]}


def test_density_adds_up_to_the_instances_and_peaks_in_their_middles() -> None:
    instances = torch.full((2, 16, 16), -1)
    instances[0, 1:4, 1:4], instances[0, 10:13, 6:9] = 0, 1
    density = centre_density(instances)
    assert density.sum((1, 2)).tolist() == pytest.approx([2.0, 0.0], abs=1e-5)
    assert {divmod(int(at), 16) for at in density[0].flatten().topk(2).indices} == {(2, 2), (11, 7)}


def test_cell_loss_is_the_weighted_cross_entropy(method: AtelierJudge, batch: SceneBatch) -> None:
    method.eval()
    said = method.foundation.judge(batch.images)
    log_p = said.cells.log_softmax(1)
    total = weights = 0.0
    for row in range(4):
        for y in range(16):
            for x in range(16):
                thing = int(batch.covering[row, y, x])
                weight = 1.0 if thing >= 0 else method.empty_cell_weight
                total -= weight * float(log_p[row, thing, y, x])
                weights += weight
    assert float(method.losses(batch)["cells"]) == pytest.approx(total / weights, rel=1e-4)


def test_guessing_costs_the_weight_of_style_in_every_field(method: AtelierJudge, batch: SceneBatch) -> None:
    for head in method.foundation.model.style_words.values():
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    losses = method.eval().losses(batch)
    for field in method.foundation.words:
        assert float(losses[field]) == pytest.approx(method.style_weight, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "reached", "not_reached"),
    [
        ("cells", "cells", "centres"),
        ("centres", "centres", "cells"),
        ("presence", "presence_weight", "centres"),
        ("counts", "count_sharpness", "presence_weight"),
        ("medium", "style_words.medium", "style_words.palette"),
    ],
)
def test_each_loss_reaches_its_head_and_the_stem(
    method: AtelierJudge, batch: SceneBatch, loss: str, reached: str, not_reached: str
) -> None:
    method.start("judge")
    for module in method.modules():  # residual branches begin at zero, where nothing passes
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    method.losses(batch)[loss].backward()
    size = {name: parameter.grad is not None and float(parameter.grad.abs().sum())
            for name, parameter in method.foundation.model.named_parameters()}  # fmt: skip
    assert any(size[name] for name in size if name.startswith(reached))
    assert not any(size[name] for name in size if name.startswith(not_reached))
    assert size["stem.0.weight"]


def test_a_few_steps_lower_every_loss(method: AtelierJudge, batch: SceneBatch) -> None:
    method.degraded_share = 0.0
    method.start("judge")
    optimizer = torch.optim.AdamW(method.parameters(), lr=0.01)
    first = None
    for _ in range(25):
        torch.manual_seed(0)
        losses = method.losses(batch)
        first = first or {name: float(value.detach()) for name, value in losses.items()}
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
    assert all(float(value.detach()) < first[name] for name, value in losses.items() if name != "counts")


def test_degraded_images_stay_images_and_a_flat_one_stays_flat() -> None:
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    found = degrade(images, 1.0, 0.1)
    assert found.shape == images.shape
    assert 0.0 <= float(found.min()) <= float(found.max()) <= 1.0
    assert torch.equal(degrade(torch.full((2, 3, 8, 8), 0.5), 1.0, 0.0), torch.full((2, 3, 8, 8), 0.5))
    moved = degrade(images, 0.0, 0.1)
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    assert any(torch.equal(moved, padded[:, :, 1 + y : 17 + y, 1 + x : 17 + x]) for y, x in shifts)


def test_thresholds_miss_as_many_as_they_wrongly_accept() -> None:
    probabilities = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.2, 0.1])[:, None]
    is_there = torch.tensor([True, True, False, True, False, False])[:, None]
    threshold = float(equal_error_thresholds(probabilities, is_there)[0])
    assert 0.6 < threshold < 0.7
    accepted = probabilities > threshold
    assert int((accepted & ~is_there).sum()) == int((~accepted & is_there).sum()) == 1


def test_perfect_probabilities_get_a_threshold_between() -> None:
    probabilities = torch.tensor([[0.9], [0.8], [0.3], [0.1]])
    is_there = torch.tensor([[True], [True], [False], [False]])
    assert math.isclose(float(equal_error_thresholds(probabilities, is_there)[0]), 0.55, abs_tol=1e-6)


def test_judge_of_other_things_is_refused(folder: Path) -> None:
    layout = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**layout, "things": ["cat"]}))
    with pytest.raises(ConfigError, match="lay it out anew"):
        AtelierJudge(JudgeNetwork(str(folder), random_weights=True))
