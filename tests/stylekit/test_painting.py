"""Rows in batches, with a renderer that says what it was given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from stylekit.errors import ConfigError, DataError
from stylekit.method import ExplainingRenderer, Explanation, StyleRenderer
from stylekit.painting import Painted, Painter, Row, paint


class Recorder(StyleRenderer[float]):
    """Paints an image of one value: style + seed; refuses the prompt "no"; holds `room` images at once."""

    def __init__(self, room: int = 1000) -> None:
        super().__init__()
        self.room = room
        self.batches: list[list[int]] = []

    def extract(self, references: Tensor) -> float:
        return 0.0

    def render(
        self, style: float, prompt: Sequence[str], content: Tensor | None, seed: Sequence[int]
    ) -> Tensor:
        self.batches.append(list(seed))
        if len(seed) > self.room:
            raise torch.OutOfMemoryError("full")
        if "no" in prompt:
            raise ConfigError("no!")
        if "overflow" in prompt:
            return torch.full((len(seed), 3, 2, 2), torch.nan)
        size = (2, 2) if content is None else content.shape[-2:]
        return (style + torch.tensor(seed).float())[:, None, None, None].expand(-1, 3, *size)


def painted(painter: Painter, rows: Sequence[Row]) -> dict[int, Any]:
    found = list(painter.paint(0.5, rows))
    assert sorted(place for place, _ in found) == list(range(len(rows)))  # each once
    return {
        place: float(one.image[0, 0, 0]) if isinstance(one, Painted) else str(one) for place, one in found
    }


def test_every_row_gets_its_own_image() -> None:
    method = Recorder()
    found = painted(Painter(method, 3), [Row("a", seed) for seed in range(8)])
    assert found == {place: place + 0.5 for place in range(8)}
    assert [len(batch) for batch in method.batches] == [3, 3, 2]


def test_a_row_that_is_refused_costs_itself_alone() -> None:
    rows = [Row("no" if seed == 1 else "a", seed) for seed in range(5)]
    assert painted(Painter(Recorder(), 3), rows) == {0: 0.5, 1: "no!", 2: 2.5, 3: 3.5, 4: 4.5}
    assert painted(Painter(Recorder(), 3), rows[1:2]) == {0: "no!"}


def test_pixels_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(DataError, match="bfloat16 or float32"):
        paint(Recorder(), 0.0, [Row("overflow", 0)])
    assert "Recorder" in painted(Painter(Recorder(), 3), [Row("overflow", 0)])[0]


def test_batches_that_do_not_fit_are_halved_and_stay_so() -> None:
    method = Recorder(room=3)
    found = painted(Painter(method, None), [Row("a", seed) for seed in range(12)])
    assert found == {place: place + 0.5 for place in range(12)}
    assert [len(batch) for batch in method.batches] == [8, 4, 2, 2, 2, 2, 2, 2]
    with pytest.raises(torch.OutOfMemoryError):
        painted(Painter(Recorder(room=0), None), [Row("a", 0)])


def test_contents_of_one_size_go_together() -> None:
    method = Recorder()
    rows = [Row("a", seed, torch.zeros(3, 2 + seed % 2, 4)) for seed in range(6)]
    assert painted(Painter(method, 4), rows) == {place: place + 0.5 for place in range(6)}
    assert method.batches == [[0, 2, 4], [1, 3, 5]]


class Teller(ExplainingRenderer[None]):
    """Paints its seed and says so."""

    def extract(self, references: Tensor) -> None:
        return None

    def render_explained(
        self, style: None, prompt: Sequence[str], content: Tensor | None, seed: Sequence[int]
    ) -> tuple[Tensor, list[Explanation]]:
        if "no" in prompt:
            raise ConfigError("no!")
        images = torch.tensor(seed).float()[:, None, None, None].expand(-1, 3, 2, 2)
        return images, [Explanation({}, {"seed": one}, {}) for one in seed]


def test_explanations_stay_with_their_images() -> None:
    rows = [Row("no" if seed == 3 else "a", seed) for seed in range(5)]
    found = dict(Painter(Teller(), 2).paint(None, rows))
    assert str(found.pop(3)) == "no!"
    for place, painted in found.items():
        assert isinstance(painted, Painted)
        assert float(painted.image[0, 0, 0]) == place
        assert painted.explanation is not None
        assert painted.explanation.facts == {"seed": place}
    assert torch.equal(paint(Teller(), None, rows[:2])[:, 0, 0, 0], torch.tensor([0.0, 1.0]))
