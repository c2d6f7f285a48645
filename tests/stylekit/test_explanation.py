from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from stylekit.explanation import draw_explanation, tell_explanation, write_explanation
from stylekit.method import Explanation


def test_pictures_of_several_sizes_stand_side_by_side_enlarged_by_whole_factors() -> None:
    small, large = torch.zeros(3, 16, 8), torch.full((3, 300, 300), 0.5)
    drawn = np.asarray(draw_explanation(Explanation({"a": small, "b": large}, {}, {})))
    top = drawn.shape[0] - 6 - 300
    assert drawn.shape[1] == 6 + 8 * 16 + 6 + 300 + 6
    assert (drawn[top : top + 256, 6:134] == 0).all()
    assert (drawn[top + 256 :, 6:134] == 255).all()
    assert (drawn[top : top + 300, 140:440] == 128).all()


def test_a_long_name_takes_several_lines() -> None:
    picture = torch.zeros(3, 8, 8)
    short = draw_explanation(Explanation({"regions": picture}, {}, {}))
    long = draw_explanation(Explanation({"regions of the third reference, merged " * 3: picture}, {}, {}))
    assert long.width == short.width
    assert long.height > short.height


def test_without_pictures_there_is_text_alone(tmp_path: Path) -> None:
    explanation = Explanation({}, {"matching": [{"region": 1, "reference": "é"}]}, {"energy": (2, 1)})
    (told,) = write_explanation(explanation, tmp_path / "cat--seed0.png")
    assert told == tmp_path / "cat--seed0.explained.json"
    assert json.loads(told.read_text()) == json.loads(tell_explanation(explanation))
    assert json.loads(told.read_text()) == {
        "facts": {"matching": [{"region": 1, "reference": "é"}]},
        "curves": {"energy": [2.0, 1.0]},
    }
