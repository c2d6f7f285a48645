from __future__ import annotations

from pathlib import Path

import pytest

from stylekit.errors import MissingError
from stylekit.foundation import locate as module
from stylekit.foundation.locate import (
    LORA_FILE,
    find_lora,
    list_shipped,
    locate,
    missing_weights,
    split_lora,
    weight_files,
)


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, marker in (("mini_one", "config.json"), ("mini_pipe", "model_index.json"), ("notes", "a.txt")):
        (tmp_path / name).mkdir()
        (tmp_path / name / marker).write_text("{}")
    monkeypatch.setattr(module, "SHIPPED", tmp_path)
    return tmp_path


def test_what_is_shipped_stays_small() -> None:
    """12 MB each, and 45 MB of all that images and films are made and read with."""
    makers = {"mini_vae", "mini_flux", "mini_sd", "mini_clip", "mini_pixel", "mini_video", "atelier_judge"}
    sizes = {
        folder.name: sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        for folder in module.SHIPPED.iterdir()
    }
    assert max(sizes.values()) < 12e6
    assert sum(sizes[name] for name in makers) < 45e6


def test_both_layouts_count_as_shipped(shipped: Path) -> None:
    assert list_shipped() == ["mini_one", "mini_pipe"]
    assert locate("mini_one") == str(shipped / "mini_one")
    assert locate("mini_pipe") == str(shipped / "mini_pipe")
    with pytest.raises(MissingError, match=r"shipped: mini_one, mini_pipe\)"):
        locate("notes")


def test_folders_and_hub_names_are_told_apart(shipped: Path) -> None:
    assert locate(str(shipped / "notes")) == str(shipped / "notes")
    assert locate("owner/name") == "owner/name"
    for wrong in ("/absent/folder", "./absent", "a/b/c"):
        with pytest.raises(MissingError, match="no folder, no hub name"):
            locate(wrong)


def test_files_of_weights_are_those_on_this_machine(shipped: Path) -> None:
    (shipped / "mini_pipe" / "part").mkdir()
    (shipped / "mini_pipe" / "part" / "weights").write_bytes(b"")
    found = [shipped / "mini_pipe" / name for name in ("model_index.json", "part/weights")]
    assert weight_files("mini_pipe") == weight_files(str(shipped / "mini_pipe")) == found
    assert weight_files("owner/name") == []


def test_missing_weights_advise_the_mini_of_the_same_kind(shipped: Path) -> None:
    told = str(missing_weights("owner/name", OSError("no route\nmore"), mini="mini_flux"))
    assert "could not be loaded: no route." in told
    assert "hf download owner/name" in told
    assert told.endswith("stay with the shipped foundation (foundation=mini_flux).")
    told = str(missing_weights("owner/name", OSError(), "mini_flux"))
    assert "could not be loaded: OSError." in told


def test_a_foundation_without_weights_says_how_they_are_made(shipped: Path) -> None:
    error = missing_weights("mini_pipe", OSError("no file"), "mini_flux")
    assert "stylekit train pretrain_mini_pipe" in str(error)


def test_loras_are_named_by_file_folder_or_hub(tmp_path: Path) -> None:
    lora = tmp_path / "lora"
    lora.mkdir()
    with pytest.raises(MissingError, match="name the file in it"):
        find_lora(str(lora))
    (lora / LORA_FILE).touch()
    assert find_lora(str(lora)) == find_lora(str(lora / LORA_FILE)) == lora / LORA_FILE
    assert split_lora("owner/name") == ("owner/name", LORA_FILE)
    assert split_lora("owner/name/four/steps.safetensors") == ("owner/name", "four/steps.safetensors")
    for wrong in ("/absent/file.safetensors", "name", "./owner/name"):
        with pytest.raises(MissingError, match="no file, no folder and no hub name"):
            find_lora(wrong)
    with pytest.raises(MissingError, match=r"hf download owner/name steps\.safetensors"):
        find_lora("owner/name/steps.safetensors")
