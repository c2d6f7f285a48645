from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stylekit.availability import download_command, find_folder, find_lora_weights, find_weights
from stylekit.foundation import locate as locate_module
from stylekit.foundation.architecture import published


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_pipeline: Path) -> Path:
    """The hub's cache with the tiny pipeline as nobody/tiny; the folder of its snapshot."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    repository = tmp_path / "hub" / "models--nobody--tiny"
    snapshot = repository / "snapshots" / ("a" * 40)
    shutil.copytree(tiny_pipeline, snapshot)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("a" * 40)
    return snapshot


def test_whole_pipeline_can_be_used_offline(tiny_pipeline: Path, hub: Path) -> None:
    local = find_weights("one", str(tiny_pipeline), None)
    assert (local.state, local.text) == ("fine", f"offline, in {tiny_pipeline}")
    cached = find_weights("one", "nobody/tiny", None)
    assert cached.state == "fine"
    assert "nobody/tiny in" in cached.text
    assert find_folder("nobody/tiny", None) == hub


def test_component_without_weights_is_a_fault_that_names_it(tiny_pipeline: Path, hub: Path) -> None:
    for folder in (tiny_pipeline, hub):
        (folder / "vae" / "diffusion_pytorch_model.safetensors").unlink()
    local = find_weights("one", str(tiny_pipeline), None)
    assert (local.state, local.text) == ("fault", f"{tiny_pipeline} lacks the weights of vae")
    cached = find_weights("one", "nobody/tiny", None)
    assert cached.state == "fault"
    assert "the weights of vae are missing; go on with: hf download nobody/tiny" in cached.text


def test_configs_alone_are_a_download_that_was_not_begun(hub: Path) -> None:
    for path in hub.rglob("*.safetensors"):
        path.unlink()
    assert find_weights("one", "nobody/tiny", None).state == "absent"
    assert find_weights("one", "nobody/other", None).state == "absent"


def test_a_lora_is_looked_for_where_it_is_loaded_from(hub: Path, tmp_path: Path) -> None:
    (tmp_path / "few.safetensors").touch()
    local = find_lora_weights("one", str(tmp_path / "few.safetensors"))
    assert (local.state, local.text) == ("fine", f"offline, {tmp_path / 'few.safetensors'}")
    absent = find_lora_weights("one", "nobody/fast/four.safetensors")
    assert absent.state == "absent"
    assert "hf download nobody/fast four.safetensors" in absent.text
    assert find_lora_weights("one", "/nowhere/at/all.safetensors").state == "fault"


def test_download_leaves_out_other_formats() -> None:
    command = download_command(published("stable-diffusion-v1-5/stable-diffusion-v1-5"))
    assert command.startswith("hf download stable-diffusion-v1-5/stable-diffusion-v1-5 ")
    assert '--include "unet/*.safetensors"' in command
    assert '--exclude "*non_ema*"' in command


def test_what_ships_without_weights_is_no_fault_of_the_machine(
    tiny_pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locate_module, "SHIPPED", tiny_pipeline.parent)
    for file in tiny_pipeline.rglob("*.safetensors"):
        file.unlink()
    finding = find_weights("mini_x", tiny_pipeline.name, None)
    assert finding.state == "absent"
    assert f"stylekit train pretrain_{tiny_pipeline.name}" in finding.text
