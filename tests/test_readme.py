"""What the README shows works as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stylekit.scaffold import new_method
from stylekit.testing import check_method

ROOT = Path(__file__).parents[1]


def section(title: str) -> str:
    return (ROOT / "README.md").read_text().split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_method_of_the_readme_passes_the_suite(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", section("Add a method"), re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 20
    folder = new_method("ink_flow", tmp_path / "ink_flow")
    (folder / "methods" / "ink_flow" / "ink_flow.py").write_text(code)
    monkeypatch.syspath_prepend(folder)
    check_method(
        "ink_flow",
        f"data.cache_dir={tmp_path}", "data.source.num_styles=12", "data.source.contents_per_style=3",
        "data.source.num_contents=12", "data.source.held_out_styles=0", "data.source.cache_images=36",
        "data.styles_per_batch=6", "data.val_styles=0",
        config_dirs=[folder / "methods" / "ink_flow" / "configs"],
        skip=["resume"],
    )  # fmt: skip


@pytest.mark.slow
def test_the_commands_of_the_readme_add_a_method(tmp_path):
    """In an environment of its own that sees ours, so that nothing is left behind."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    (site,) = (tmp_path / "venv" / "lib").glob("python*/site-packages")
    ours = next(Path(path) for path in sys.path if path.endswith("site-packages"))
    (site / "ours.pth").write_text(f"import site; site.addsitedir({str(ours)!r})\n{ROOT}\n")
    scripts = tmp_path / "venv" / "bin"
    for name in ("stylekit", "pytest"):
        module = "stylekit" if name == "stylekit" else "pytest"
        (scripts / name).write_text(f'#!/bin/sh\nexec {scripts}/python -m {module} "$@"\n')
        (scripts / name).chmod(0o755)
    commands = [line.strip().partition("  ")[0] for line in section("Add a method").splitlines()[1:6]]
    assert commands[0] == "stylekit new method ink_flow"
    environment = os.environ | {"PATH": f"{scripts}:{os.environ['PATH']}", "PYTHONPATH": ""}
    for command in commands:
        if command.startswith("pip"):
            command = f"{scripts}/python -m {command} -q --no-deps"
        if command.startswith("stylekit train"):
            command += " stages.contrast.max_steps=40 data.source.num_styles=200 data.source.cache_images=100"
        subprocess.run(command, shell=True, check=True, cwd=tmp_path, env=environment)
