"""The atelier as a method."""

from __future__ import annotations

import pytest
import torch

from methods.atelier_painter import AtelierPainter
from stylekit.atelier import Scene, draw, sample_style
from stylekit.errors import ConfigError

SCENE, STYLE = "A large cat on the grass.", sample_style(3)


def test_prompt_with_a_style_is_drawn_in_it() -> None:
    images = AtelierPainter().render(None, [f"{SCENE} {STYLE.prompt()}"], None, [7])
    assert torch.equal(images, draw([Scene.from_prompt(SCENE)], [STYLE], [7]))


def test_prompt_without_a_style_takes_one_from_its_seed() -> None:
    images = AtelierPainter(image_size=80).render(None, [SCENE, SCENE], None, [7, 8])
    scenes = [Scene.from_prompt(SCENE)] * 2
    assert torch.equal(images, draw(scenes, [sample_style(7), sample_style(8)], [7, 8], 80))


def test_each_seed_needs_its_prompt() -> None:
    with pytest.raises(ConfigError, match="one prompt for each seed"):
        AtelierPainter().render(None, [SCENE], None, [1, 2])
