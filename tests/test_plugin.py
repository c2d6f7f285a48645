"""A package that this repository does not know adds a method, data, a metric and a benchmark."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parent / "plugin"
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("plugin")


@pytest.fixture(scope="module")
def stylekit(folder):
    """The command line, with the package installed beside stylekit."""

    def run(*words: str, installed: tuple[Path, ...] = (PLUGIN,)) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join(map(str, (*installed, ROOT))),
            "STYLEKIT_CACHE": str(folder / "cache"),
        }
        return subprocess.run(
            [sys.executable, "-m", "stylekit", *words],
            capture_output=True, text=True, cwd=folder, env=environment, check=False,
        )  # fmt: skip

    return run


def succeed(ran: subprocess.CompletedProcess[str]) -> str:
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_it_is_listed_with_its_origin(stylekit):
    entries = json.loads(succeed(stylekit("list", "--json")))
    theirs = {(one["group"], one["name"]) for one in entries if one["origin"] == "theirs"}
    assert theirs == {
        ("method", "theirs_moments"),
        ("data", "theirs_stripes"),
        ("benchmark", "theirs_separation"),
        ("experiment", "theirs_moments"),
        ("ablation", "theirs_width"),
    }
    assert [one for one in entries if one["error"]] == []


def test_it_trains_is_measured_ablated_and_reported(stylekit, folder):
    succeed(stylekit("train", "theirs_moments", "-q"))
    assert "colours/separation" in succeed(stylekit("evaluate", "runs/theirs_moments/latest"))
    assert "| 8 | 1 |" in succeed(stylekit("ablate", "theirs_width"))
    succeed(stylekit("report", "runs/theirs_moments/latest", "runs/ablations/theirs_width"))
    page = (folder / "report.html").read_text()
    assert "theirs_width: theirs_separation" in page
    assert "train/separation" in page


def test_our_methods_take_its_data(stylekit, tiny_siglip):
    settings = [f"foundation.name_or_path={tiny_siglip}", "data=theirs_stripes", "tracking=local"]
    succeed(stylekit("train", "megastyle_encoder", "-q", *settings, "stages.sscl.max_steps=50", "--dry-run"))


def write_broken(folder: Path, name: str, code: str) -> Path:
    """Lay out a package whose method cannot be imported."""
    place = folder / name
    configs = place / "methods" / name / "configs" / "method"
    configs.mkdir(parents=True)
    (configs / f"{name}.yaml").write_text(f"# what: broken\n_target_: methods.{name}.Broken\n")
    (place / "methods" / name / "__init__.py").write_text(code)
    information = place / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[stylekit.configs]\n{name} = methods.{name}:configs\n")
    return place


def test_one_that_cannot_be_imported_is_listed_with_its_error_and_breaks_only_itself(stylekit, tmp_path):
    broken = write_broken(tmp_path, "half_done", "raise RuntimeError('half installed')\n")
    deadly = write_broken(tmp_path, "deadly", "import os\nos._exit(7)\n")
    installed = (PLUGIN, broken, deadly)
    entries = json.loads(succeed(stylekit("list", "method", "--json", installed=installed)))
    errors = {one["name"]: one["error"] for one in entries}
    assert errors["half_done"] == "RuntimeError: half installed"
    assert "ended the process (7)" in errors["deadly"]
    assert errors["theirs_moments"] == errors["siglip"] == ""
    succeed(stylekit("check", "theirs_moments", installed=installed))
    ran = stylekit("check", "theirs_moments", "method=half_done", installed=installed)
    assert ran.returncode == 4
    assert "half installed" in ran.stderr


def test_two_packages_that_claim_one_name_are_an_error_naming_both(stylekit, tmp_path):
    second = write_broken(tmp_path, "copycat", "class Broken: pass\n")
    configs = second / "methods" / "copycat" / "configs"
    (configs / "method" / "theirs_moments.yaml").write_text("_target_: methods.copycat.Broken\n")
    ran = stylekit("check", "theirs_moments", installed=(PLUGIN, second))
    assert ran.returncode == 2
    assert "claimed by" in ran.stderr
    assert "plugin/methods/theirs_moments/configs/method/theirs_moments.yaml" in ran.stderr
    assert "copycat/configs/method/theirs_moments.yaml" in ran.stderr
