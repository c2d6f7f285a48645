"""`render` of a method that tells how its images came about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stylekit.image_files import find_images, read_image
from stylekit.method import ExplainingRenderer, Explanation
from stylekit.rendering import Rendered, render


class Darkener(ExplainingRenderer[None]):
    """Paints contents at half their light and explains it; stops after `patience` images."""

    def __init__(self, patience: int = 1000) -> None:
        super().__init__()
        self.patience = patience

    def extract(self, references: Tensor) -> None:
        return None

    def render_explained(
        self, style: None, prompt: Sequence[str], content: Tensor | None, seed: Sequence[int]
    ) -> tuple[Tensor, list[Explanation]]:
        assert content is not None
        if self.patience < 1:
            raise KeyboardInterrupt
        self.patience -= len(content)
        return content / 2, [
            Explanation(
                {"before": one, "mask": one.round()}, {"mean": float(one.mean())}, {"light": [1, 0.5]}
            )
            for one in content
        ]


@pytest.fixture
def paint(tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch):
    def paint(patience: int = 1000) -> Rendered:
        method = Darkener(patience)
        monkeypatch.setattr("stylekit.rendering.settings.build_method", lambda config: method)
        return render("autoencoder", contents=[pictures], out=tmp_path / "out", batch_size=1)

    return paint


def test_pictures_facts_and_curves_lie_beside_each_image(paint, pictures: Path) -> None:
    rendered = paint()
    lines = (rendered.folder / "manifest.jsonl").read_text().splitlines()
    assert len(rendered.files) == len(lines) == 4
    for row in map(json.loads, lines):
        drawn, told = (rendered.folder / name for name in row["explanation"])
        stem = Path(row["file"]).stem
        assert (drawn.name, told.name) == (f"{stem}.explained.png", f"{stem}.explained.json")
        content = read_image(Path(row["content"]["path"]))
        assert json.loads(told.read_text()) == {
            "facts": {"mean": pytest.approx(float(content.mean()))},
            "curves": {"light": [1.0, 0.5]},
        }
        times = 256 // max(content.shape[1:])
        height, width = (times * side for side in content.shape[1:])
        sheet = read_image(drawn)
        assert torch.equal(sheet[:, -height - 6 : -6, 6 : width + 6 : times][:, ::times], content)
        assert torch.equal(sheet[:, -height - 6 : -6, width + 12 : -6 : times][:, ::times], content.round())
        assert (sheet[:, :20] < 0.5).any()  # the names


def test_what_explains_is_not_taken_for_an_image(paint) -> None:
    rendered = paint()
    assert not [path for path in rendered.files if "explained" in path.name]
    images = set(rendered.files)
    found = find_images(rendered.folder)
    assert images == {path for path in found if path.suffix == ".png"}
    assert images == set(find_images(f"{rendered.folder}/*.png"))
    (one, *_) = rendered.folder.glob("*.explained.png")
    assert find_images(one) == [one]
    (rendered.folder / "manifest.jsonl").unlink()
    assert paint().num_made == 0
    lines = (rendered.folder / "manifest.jsonl").read_text().splitlines()
    assert {json.loads(line)["file"] for line in lines} == {path.name for path in images}


def test_an_image_that_is_there_has_its_explanation(paint, monkeypatch: pytest.MonkeyPatch) -> None:
    from stylekit.rendering import rendering

    def killed(*_) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(rendering, "save_png", killed)
        with pytest.raises(KeyboardInterrupt):
            paint()
    rendered = paint()
    assert rendered.num_made == 4
    for path in rendered.files:
        assert path.with_name(f"{path.stem}.explained.json").is_file()
        assert path.with_name(f"{path.stem}.explained.png").is_file()
