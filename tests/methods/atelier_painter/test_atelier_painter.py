"""The atelier as a method."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from methods.atelier_painter import AtelierPainter
from stylekit.atelier import Scene, draw, sample_style
from stylekit.errors import ConfigError
from stylekit.foundation.vae import Vae

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


def test_sides_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="seen_at=80 is more than"):
        AtelierPainter(seen_at=80)
    with pytest.raises(ConfigError, match="a multiple of 4"):
        AtelierPainter(seen_at=30, autoencoder=Vae("mini_vae"))


def test_drawings_as_small_generators_could_give_them() -> None:
    vae, prompts = Vae("mini_vae"), [f"{SCENE} {STYLE.prompt()}"]
    drawn = AtelierPainter().render(None, prompts, None, [7])
    small = AtelierPainter(seen_at=32).render(None, prompts, None, [7])
    torch.testing.assert_close(
        small, F.interpolate(drawn, (32, 32), mode="bicubic", antialias=True).clamp(0.0, 1.0)
    )
    back = AtelierPainter(autoencoder=vae).render(None, prompts, None, [7])
    torch.testing.assert_close(back, vae.decode(vae.encode(drawn)).clamp(0.0, 1.0))
    assert 0.0 < float((back - drawn).abs().mean()) < 0.1
