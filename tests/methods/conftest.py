"""What tests of methods that stand on mini_sd share."""

from collections.abc import Iterator

import pytest
from torch import Tensor

from stylekit.atelier import MINI, draw, sample_scenes, sample_styles
from stylekit.foundation.stable_diffusion import StableDiffusion


@pytest.fixture(scope="session")
def mini_sd() -> StableDiffusion:
    return StableDiffusion("mini_sd")


@pytest.fixture
def learning_mini_sd(mini_sd: StableDiffusion) -> Iterator[StableDiffusion]:
    """Give it with weights that gradients could reach."""
    mini_sd.requires_grad_(True)
    yield mini_sd
    mini_sd.requires_grad_(False).zero_grad()


@pytest.fixture(scope="session")
def images() -> Tensor:
    """Four drawings, each in a style of its own."""
    return draw(sample_scenes(4, 1, "train", repertoire=MINI), sample_styles(4, 2, "train"), range(4))
