import pytest

from stylekit.errors import ConfigError
from stylekit.scaffold import new_method


@pytest.mark.parametrize("name", ["InkFlow", "1ink", "ink-flow", "class", ""])
def test_a_name_that_cannot_be_a_module_is_refused(name, tmp_path):
    with pytest.raises(ConfigError, match="small letters"):
        new_method(name, tmp_path / "new")


def test_a_name_that_is_taken_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"There is a method 'siglip' already.*siglip\.yaml"):
        new_method("siglip", tmp_path / "new")


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "pyproject.toml").write_text("mine")
    with pytest.raises(ConfigError, match=r"Nothing is overwritten.*pyproject\.toml"):
        new_method("ink_flow", tmp_path)
    assert (tmp_path / "pyproject.toml").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [tmp_path / "pyproject.toml"]


def test_files_carry_the_name(tmp_path):
    folder = new_method("ink_flow", tmp_path / "new")
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()) == [
        "methods/ink_flow/README.md",
        "methods/ink_flow/__init__.py",
        "methods/ink_flow/configs/experiment/ink_flow.yaml",
        "methods/ink_flow/configs/method/ink_flow.yaml",
        "methods/ink_flow/ink_flow.py",
        "pyproject.toml",
        "tests/test_ink_flow.py",
    ]
    assert "class InkFlow(StyleEncoder)" in (folder / "methods/ink_flow/ink_flow.py").read_text()
