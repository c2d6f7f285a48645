"""The judge reads what its maps say, whatever is around, and comes back from a folder as it was saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from stylekit.errors import ConfigError, MissingError
from stylekit.foundation.judge import GRID, AtelierJudge, Judgement

THINGS = ("cat", "dog", "star")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    words = {"medium": ["ink", "oil", "chalk"], "edges": ["sharp", "soft"]}
    layout = {"widths": [4, 8, 8], "style_dim": 8, "things": THINGS, "words": words}
    (tmp_path / "config.json").write_text(json.dumps(layout))
    return tmp_path


@pytest.fixture
def judge(folder: Path) -> AtelierJudge:
    return AtelierJudge(str(folder), random_weights=True).eval()


def say(covering: torch.Tensor, middles: list[tuple[int, int]]) -> Judgement:
    """Make up what the network says of one image."""
    wanted = torch.where(covering < 0, len(THINGS), covering)
    cells = 20.0 * torch.nn.functional.one_hot(wanted, len(THINGS) + 1).permute(2, 0, 1)[None].float()
    centres = torch.full((1, GRID, GRID), -20.0)
    for row, column in middles:
        centres[0, row, column] = 20.0
    return Judgement(cells, centres, torch.zeros(1, 3), torch.zeros(1, 3, 3), {})


def test_centres_are_the_middles_of_what_is_covered(judge: AtelierJudge) -> None:
    covering = torch.full((GRID, GRID), -1)
    covering[2:4, 0:4] = 0
    covering[8:16, 12:16] = 2
    centres = judge._decide(say(covering, []))[2][0]
    torch.testing.assert_close(centres[0], torch.tensor([2 / 16, 3 / 16]), atol=1e-3, rtol=0)
    torch.testing.assert_close(centres[2], torch.tensor([14 / 16, 12 / 16]), atol=1e-3, rtol=0)


def test_counts_are_the_middles_that_lie_in_a_thing(judge: AtelierJudge) -> None:
    covering = torch.full((GRID, GRID), -1)
    covering[:, :8], covering[:, 8:] = 0, 1
    said = say(covering, [(4, 2), (12, 2), (8, 5), (8, 12)])
    counts = judge.model._counts(said.cells, said.centres).argmax(-1)[0] + 1
    assert counts[:2].tolist() == [3, 1]


def test_presence_rises_with_the_cells_that_a_thing_covers(judge: AtelierJudge) -> None:
    covering = torch.full((GRID, GRID), -1)
    covering[5:9, 5:9] = 1
    presence = judge.model._presence(say(covering, []).cells)[0]
    assert presence[1] > 0
    assert presence[[0, 2]].max() < 0


def test_reading_has_counts_of_what_is_present_only(judge: AtelierJudge) -> None:
    judge.thresholds.copy_(torch.tensor([0.0, 1.0, 0.0]))
    reading = judge.read(torch.rand(3, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert reading.things == THINGS
    assert reading.present.tolist() == [[True, False, True]] * 3
    assert bool((reading.counts[:, [0, 2]] > 0).all())
    assert not reading.counts[:, 1].any()
    torch.testing.assert_close(reading.style["medium"].sum(1), torch.ones(3))


def test_an_image_is_read_the_same_in_any_batch_and_size_fits_itself(judge: AtelierJudge) -> None:
    images = torch.rand(5, 3, 48, 80, generator=torch.Generator().manual_seed(0))
    whole, parts = judge.read(images), judge.read(images, batch_size=2)
    torch.testing.assert_close(whole.presence, parts.presence)
    torch.testing.assert_close(whole.centres, parts.centres)


def test_saved_judge_reads_the_same(judge: AtelierJudge, tmp_path: Path) -> None:
    with torch.no_grad():
        for parameter in judge.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)) * 0.1)
    judge.thresholds.fill_(0.25)
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    judge.save(tmp_path / "saved")
    loaded = AtelierJudge(str(tmp_path / "saved")).eval()
    assert torch.equal(loaded.read(images).presence, judge.read(images).presence)
    assert loaded.thresholds.tolist() == [0.25] * 3
    judge.save(tmp_path / "half", torch.float16)
    half = AtelierJudge(str(tmp_path / "half"))
    torch.testing.assert_close(half.read(images).presence, judge.read(images).presence, atol=0.02, rtol=0)
    assert next(half.parameters()).dtype == torch.float32


def test_seed_chooses_the_random_weights(folder: Path) -> None:
    first, again, other = (
        AtelierJudge(str(folder), random_weights=True, seed=seed).model.cells.weight for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_folder_without_weights_or_with_others_is_refused(folder: Path, judge: AtelierJudge) -> None:
    with pytest.raises(MissingError, match="random_weights=true"):
        AtelierJudge(str(folder))
    judge.save(folder)
    layout = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**layout, "style_dim": 9}))
    with pytest.raises(ConfigError, match="does not hold the weights"):
        AtelierJudge(str(folder))
    (folder / "config.json").write_text("{}")
    with pytest.raises(ConfigError, match=r"lacks .*things"):
        AtelierJudge(str(folder))
