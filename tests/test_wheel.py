"""The wheel works outside the checkout, in an environment that holds nothing else."""

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(command, check=True)
    return next(folder.glob("stylekit-*.whl"))


@pytest.mark.slow
def test_wheel_carries_what_runs_and_no_more(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "stylekit/py.typed",
        "stylekit/configs/experiment/megastyle_encoder.yaml",
        "stylekit/foundation/weights/mini_siglip/model.safetensors",
        "methods/megastyle_encoder/megastyle_encoder.py",
        "datamodules/synthesized.py",
    } <= names
    assert not {
        name for name in names if name.startswith(("tests/", "methods/__init__", "datamodules/__init__"))
    }
    assert wheel.stat().st_size < 50_000_000  # nearly all of it weights, of which a test keeps the sizes


@pytest.mark.slow
def test_wheel_trains_and_evaluates_in_an_empty_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    constraints = ["-c", str(ROOT / "constraints.txt")]
    subprocess.run([python, "-m", "pip", "install", "-q", *constraints, "torch==2.13.0"], check=True)
    subprocess.run([python, "-m", "pip", "install", "-q", *constraints, str(wheel)], check=True)

    def stylekit(*arguments: str) -> str:
        command = [str(tmp_path / "venv" / "bin" / "stylekit"), *arguments]
        done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout

    listed = {(entry["group"], entry["name"]) for entry in json.loads(stylekit("list", "--json"))}
    assert ("method", "megastyle_encoder") in listed
    small = ["data.source.num_styles=40", "data.source.contents_per_style=2", "data.source.num_contents=60"]
    small += ["data.source.held_out_styles=8", "data.styles_per_batch=8", "data.val_styles=4"]
    small += ["stages.sscl.max_steps=2", "stages.sscl.warmup_steps=1", f"data.cache_dir={tmp_path}"]
    stylekit("train", "megastyle_encoder", *small)
    board = ["benchmark.num_styles=4", "benchmark.num_contents=4", "benchmark.num_groups=2"]
    assert "recall" in stylekit("evaluate", "runs/megastyle_encoder/latest", *board).lower()
    assert list((tmp_path / "runs" / "megastyle_encoder" / "latest" / "eval").glob("*.json"))
