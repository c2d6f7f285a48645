from __future__ import annotations

from pathlib import Path

import pytest

from stylekit.errors import MissingError
from stylekit.foundation import locate as module
from stylekit.foundation.locate import list_shipped, locate, missing_weights


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, marker in (("mini_one", "config.json"), ("mini_pipe", "model_index.json"), ("notes", "a.txt")):
        (tmp_path / name).mkdir()
        (tmp_path / name / marker).write_text("{}")
    monkeypatch.setattr(module, "SHIPPED", tmp_path)
    return tmp_path


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
