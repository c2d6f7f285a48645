"""The suite finds what is wrong: each test breaks a sound method in one way."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import torch

from stylekit.errors import ConfigError
from stylekit.scaffold import new_method
from stylekit.testing import check_method

TOWER = "self.tower(images * 2.0 - 1.0)"
NORMALIZED = f"F.normalize({TOWER}, dim=-1)"
NUMBERS = itertools.count()
RENDERER = '''
"""A renderer that paints the mean colour of the references, with noise."""

from typing import final

import torch

from stylekit.errors import ConfigError
from stylekit.method import StyleRenderer

__all__ = ["Sound"]


@final
class Sound(StyleRenderer):
    needs = frozenset({"prompt"})

    def extract(self, references):
        return references.mean((0, 2, 3))

    def render(self, style, prompt, content, seed):
        if not prompt:
            raise ConfigError("needs a prompt")
        noise = [torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(one)) for one in seed]
        return (style[:, None, None] + 0.1 * torch.stack(noise)).clamp(0, 1)
'''


@pytest.fixture
def sound(tmp_path, monkeypatch):
    """Write a method that is sound, or a changed one, and return what `check_method` takes."""

    def write(*changes: tuple[str, str], source: str | None = None) -> tuple[str, list[str], list[Path]]:
        name = f"sound{next(NUMBERS)}"  # Python imports a module of one name once
        folder = new_method(name, tmp_path / name)
        file = folder / "methods" / name / f"{name}.py"
        text = source.replace("Sound", name.capitalize()) if source else file.read_text()
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        file.write_text(text)
        monkeypatch.syspath_prepend(folder)
        small = [
            f"data.cache_dir={tmp_path / 'cache'}",
            "data.source.num_styles=12", "data.source.contents_per_style=3", "data.source.num_contents=12",
            "data.source.held_out_styles=0", "data.source.cache_images=36",
            "data.styles_per_batch=6", "data.val_styles=0",
        ]  # fmt: skip
        return name, small, [folder / "methods" / name / "configs"]

    return write


def failures(settings, skip=("resume",)) -> dict[str, str]:
    """Run the suite and return what failed: check, message."""
    name, overrides, dirs = settings
    with pytest.raises(ExceptionGroup) as caught:
        check_method(name, *overrides, config_dirs=dirs, skip=skip)
    return {error.__notes__[-1].split("'")[1]: str(error) for error in caught.value.exceptions}


def test_a_sound_method_passes(sound):
    name, overrides, dirs = sound()
    check_method(name, *overrides, config_dirs=dirs, skip=["resume"])


@pytest.mark.parametrize(
    ("change", "check", "message"),
    [
        (("@final\n", ""), "contract", "must be marked @final"),
        ((NORMALIZED, "self.tower(images)"), "embedding", "unit vectors"),
        ((TOWER, "self.tower(images - images.mean(0))"), "embedding", "do not matter"),
        ((TOWER, "self.tower(images) / images.amax()"), "embedding", "black image"),
        (("self.requires_grad_(True)", "self.requires_grad_(False)"), "learning", "learns nothing"),
        ((".mean()}", ".mean().detach() + 0.0 * self.tower[0].bias.sum()}"), "learning", "no gradient"),
        ((".mean()}", "}"), "learning", "not a scalar"),
        ((".mean()}", ".mean() / 0.0}"), "learning", "not finite"),
    ],
)  # fmt: skip
def test_each_fault_is_found(sound, change, check, message):
    found = failures(sound(change))
    assert check in found
    assert message in found[check]


def test_a_change_to_frozen_weights_is_found(sound):
    frozen = (
        "self.requires_grad_(True)",
        "self.requires_grad_(True)\n        self.tower[0].requires_grad_(False)",
    )
    sly = ("        z = self.embed", "        self.tower[0].bias.data += 1.0\n        z = self.embed")
    assert "changed what it does not learn" in failures(sound(frozen, sly))["learning"]


def test_randomness_that_no_seed_reaches_is_found_by_killing_the_run(sound):
    unseeded = (".mean()}", ".mean() * (1.0 + int.from_bytes(__import__('os').urandom(1), 'big'))}")
    found = failures(sound(unseeded), skip=("embedding", "learning", "saving", "devices"))
    assert "differs after a resume" in found["resume"]


def test_a_sound_renderer_passes_and_faults_are_found(sound):
    def write(*change: tuple[str, str]) -> tuple[str, list[str], list[Path]]:
        name, overrides, (configs,) = sound(*change, source=RENDERER)
        experiment = f"method: {name}\ndata: atelier\ntracking: local\n"
        (configs / "experiment" / f"{name}.yaml").write_text(experiment)
        target = f"_target_: methods.{name}.{name.capitalize()}\n"
        (configs / "method" / f"{name}.yaml").write_text(target)
        return name, overrides, [configs]

    name, overrides, dirs = write()
    check_method(name, *overrides, config_dirs=dirs)
    for change, message in {
        ("manual_seed(one)", "manual_seed(0)"): "another seed gives the same image",
        (".clamp(0, 1)", " + 1.0"): "above 1",
        ("for one in seed", "for one in range(len(seed))"): "the other images do not matter",
        ('"needs a prompt"', '"no"'): "does not name 'prompt'",
    }.items():
        assert message in failures(write(change))["rendering"]


def test_an_unknown_check_is_refused():
    with pytest.raises(ConfigError, match="There is no check speed"):
        check_method("sound", skip=["speed"])


def test_images_stay_in_the_process(sound):
    """The suite leaves torch's own generator where it was used, not the caller's files."""
    before = sorted(Path.cwd().iterdir())
    name, overrides, dirs = sound()
    check_method(name, *overrides, config_dirs=dirs, skip=["resume"])
    assert sorted(Path.cwd().iterdir()) == before
    assert torch.is_grad_enabled()
