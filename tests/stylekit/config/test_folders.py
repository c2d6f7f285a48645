from __future__ import annotations

from pathlib import Path

import pytest

from stylekit.config import compose_group, config_dirs
from stylekit.config.document import read_header
from stylekit.errors import ConfigError
from stylekit.listing import list_configs

TRAINER = "_target_: lightning.pytorch.Trainer\n"


def install(folder: Path, name: str, entry_point: str) -> None:
    """Lay out an installed package as pip would."""
    information = folder / f"{name}-1.0.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[stylekit.configs]\n{name} = {entry_point}\n")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_configs_of_an_installed_package_are_found(site: Path) -> None:
    install(site, "goodstyles", "goodstyles:settings")
    (site / "goodstyles" / "settings" / "trainer").mkdir(parents=True)
    (site / "goodstyles" / "__init__.py").write_text("raise RuntimeError('never imported')\n")
    (site / "goodstyles" / "settings" / "trainer" / "theirs.yaml").write_text(
        "_target_: lightning.pytorch.Trainer\n"
    )
    assert compose_group("trainer", "theirs").choices == {"trainer": "theirs"}
    assert [(entry.origin, entry.error) for entry in list_configs("trainer") if entry.name == "theirs"] == [
        ("goodstyles", "")
    ]


@pytest.mark.parametrize(
    ("entry_point", "error"),
    [
        ("absentstyles", "there is no package 'absentstyles'"),
        ("badstyles.inner", "RuntimeError: half installed"),
        ("badstyles:nowhere", "has no folder 'nowhere'"),
    ],
)
def test_broken_package_is_listed_and_breaks_only_itself(site: Path, entry_point: str, error: str) -> None:
    install(site, "badstyles", entry_point)
    (site / "badstyles").mkdir()
    (site / "badstyles" / "__init__.py").write_text("raise RuntimeError('half installed')\n")
    [broken] = [entry for entry in list_configs() if entry.group == "plug-in"]
    assert broken.origin == "badstyles"
    assert error in broken.error
    assert compose_group("trainer", "default").choices == {"trainer": "default"}
    with pytest.raises(ConfigError, match=r"The configs of badstyles are left out"):
        compose_group("trainer", "absent")


def test_broken_file_is_listed_with_its_error(tmp_path: Path) -> None:
    folder = tmp_path / "method"
    folder.mkdir()
    (folder / "wrong.yaml").write_text("a: [1\n")
    (folder / "gone.yaml").write_text("_target_: methods.gone.Gone\n")
    (folder / "foreign.yaml").write_text("_target_: no_package.Gone\n")
    errors = {
        entry.name: entry.error for entry in list_configs("method", config_dirs=[tmp_path]) if entry.error
    }
    assert "YAML syntax" in errors["wrong"]
    assert errors["gone"] == "methods.gone.Gone: there is no module methods.gone"
    assert errors["foreign"] == "no_package.Gone: the package 'no_package' is not installed"


def test_name_claimed_twice_is_listed_with_both_files(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder / "trainer").mkdir(parents=True)
        (tmp_path / folder / "trainer" / "same.yaml").write_text(TRAINER)
    entries = list_configs("trainer", config_dirs=[tmp_path / "one", tmp_path / "two"])
    errors = [entry.error for entry in entries if entry.name == "same"]
    assert len(errors) == 2
    assert all("one/trainer/same.yaml and" in error and "two/trainer/same.yaml" in error for error in errors)


def test_same_folder_given_twice_is_no_conflict() -> None:
    own = next(one.path for one in config_dirs() if one.origin == "stylekit")
    assert compose_group("trainer", "default", [], [own, own]).choices == {"trainer": "default"}


def test_unknown_group_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'method'"):
        list_configs("methods")


def test_header_is_read_over_several_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# what: a thing\n#   that goes on\n# needs: nothing\na: 1\n# paper: too late\n")
    assert read_header(path) == {"what": "a thing that goes on", "needs": "nothing"}
