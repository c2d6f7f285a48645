"""Other settings, weights or files make other images, which overwrite nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import yaml

from stylekit.foundation.locate import SHIPPED
from stylekit.rendering import render
from stylekit.rendering.settings import find_settings
from stylekit.run import Run
from tests.stylekit.rendering.rendered import PROMPTS, manifest, pixels


def test_other_settings_overwrite_nothing(tmp_path: Path) -> None:
    first = render("atelier_painter", prompts=PROMPTS, out=tmp_path)
    second = render("atelier_painter", "method.image_size=96", prompts=PROMPTS, out=tmp_path)
    assert not set(first.files) & set(second.files)
    assert {len(pixels(path)) for path in first.files} == {64}
    assert {len(pixels(path)) for path in second.files} == {96}
    assert len(manifest(tmp_path)) == 4


def test_weights_and_settings_of_a_folder_are_in_the_name(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "flux"
    shutil.copytree(SHIPPED / "mini_flux", folder)
    asked = (f"foundation.name_or_path={folder}", "foundation.num_steps=1")

    def name() -> str:
        rendered = render("text_to_image", *asked, prompts=PROMPTS[:1], out=tmp_path / "out")
        return rendered.files[0].name

    names = [name(), name()]
    assert names[0] == names[1]
    scheduler = folder / "scheduler" / "scheduler_config.json"
    scheduler.write_text(json.dumps(json.loads(scheduler.read_text()) | {"shift": 9.0}))
    names.append(name())
    weights = folder / "transformer" / "diffusion_pytorch_model.safetensors"
    state = load_file(weights)
    last = list(state)[-1]  # far from the beginning of the file
    save_file({key: value + 0.1 * (key == last) for key, value in state.items()}, weights)
    names.append(name())
    assert len(set(names)) == 3


def test_the_weights_of_a_lora_are_in_the_settings(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "pytorch_lora_weights.safetensors").write_bytes(b"folder")
    (tmp_path / "file.safetensors").write_bytes(b"file")

    def digest(lora: str) -> str:
        overrides = ["foundation=mini_sd", f"foundation.lora={lora}"]
        return find_settings("text_to_image", overrides, ()).digest

    for name in ("folder", "file.safetensors"):
        before = digest(str(tmp_path / name))
        assert digest(str(tmp_path / name)) == before
        for file in tmp_path.rglob("*.safetensors"):
            file.write_bytes(file.read_bytes() + b" that was trained on")
        assert digest(str(tmp_path / name)) != before
    assert digest("owner/name") == digest("owner/name")


def test_files_that_settings_name_are_in_the_settings(tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    mask.write_bytes(b"regions")

    def digest(override: str) -> str:
        return find_settings("stylegallery", [override], ()).digest

    for override in (f"method.content_mask={mask}", f"method.reference_masks=[{mask}]"):
        before = digest(override)
        assert digest(override) == before
        mask.write_bytes(mask.read_bytes() + b" drawn anew")
        assert digest(override) != before


def test_the_settings_name_only_what_renders(tmp_path: Path, flux_run: Run, pictures: Path) -> None:
    rendered = render(flux_run.path, references=[pictures], prompts=PROMPTS[:1], out=tmp_path / "out")
    (path,) = rendered.folder.glob("settings-*.yaml")
    assert set(yaml.safe_load(path.read_text())) == {"name", "learned", "method", "foundation", "choices"}
